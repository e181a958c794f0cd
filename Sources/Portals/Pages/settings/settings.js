// <app-secret>: shows and copies a secret without leaving the page. The server gives it as it would without script:
// in the page that answers the form. Where it asks for the password first, the form is sent as usual.

class Secret extends HTMLElement {
    connectedCallback() {
        const form = this.querySelector("form");
        const show = form?.querySelector("button");
        const copy = this.querySelector("button.needs-script");
        if (!form || !show) {
            return;
        }
        const send = this.send.bind(this, form, show);
        let isSending = false;
        form.addEventListener("submit", (event) => {
            if (!isSending) {
                isSending = true;
                event.preventDefault();
                void send((row) => this.closest(".secret")?.replaceWith(row));
            }
        });
        copy?.addEventListener("click", () => {
            isSending = true;
            void send(async (row) => {
                await navigator.clipboard.writeText(row.querySelector(".copy-text")?.textContent ?? "");
                const said = document.createElement("span");
                said.className = "copied";
                said.setAttribute("role", "status");
                said.textContent = this.dataset.done ?? "";
                copy.after(said);
                setTimeout(() => said.remove(), 1600);
            }).finally(() => {
                isSending = false;
            });
        });
    }

    /**
     * @param {HTMLFormElement} form
     * @param {HTMLButtonElement} button
     * @param {(row: Element) => unknown} use
     */
    async send(form, button, use) {
        const fields = new URLSearchParams();
        for (const [name, value] of new FormData(form)) {
            fields.append(name, String(value));
        }
        fields.append(button.name, button.value);
        // The form has a field of the name action, which hides the property.
        const answer = await fetch(form.getAttribute("action") ?? "", { method: "POST", body: fields });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const row = page.getElementById(this.dataset.place ?? "");
        if (answer.ok && row?.querySelector(".copy-text")) {
            await use(document.importNode(row, true));
        } else {
            form.requestSubmit(button);
        }
    }
}

customElements.define("app-secret", Secret);

export {};
