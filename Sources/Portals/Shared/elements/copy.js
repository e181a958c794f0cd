// <app-copy>: copies the text of its .copy-text, or of data-text, when its button is pressed, and says so.

/** How long the button says that it has copied, milliseconds. */
const SHOWN_MS = 1600;

class Copy extends HTMLElement {
    connectedCallback() {
        const button = this.querySelector("button.needs-script");
        button?.addEventListener("click", () => void this.copy(/** @type {HTMLElement} */ (button)));
    }

    /** @param {HTMLElement} button */
    async copy(button) {
        const text = this.dataset.text ?? this.querySelector(".copy-text")?.textContent ?? "";
        await navigator.clipboard.writeText(text);
        const said = document.createElement("span");
        said.className = "copied";
        said.setAttribute("role", "status");
        said.textContent = this.dataset.done ?? "";
        button.after(said);
        setTimeout(() => said.remove(), SHOWN_MS);
    }
}

customElements.define("app-copy", Copy);
