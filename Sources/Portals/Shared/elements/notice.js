// <app-notice>: lets one close a notice, and takes its word out of the address so that a reload does not say it again.

class Notice extends HTMLElement {
    connectedCallback() {
        const address = new URL(location.href);
        if (address.searchParams.has("done")) {
            address.searchParams.delete("done");
            history.replaceState(history.state, "", address);
        }
        this.querySelector("button")?.addEventListener("click", () => {
            this.remove();
            document.querySelector("main")?.focus();
        });
    }
}

customElements.define("app-notice", Notice);
