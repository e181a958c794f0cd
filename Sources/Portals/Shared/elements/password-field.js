// <app-password-field>: shows what was typed when asked, and says how strong a new password is.

/** A password of so many characters is long enough to be accepted. */
const LEAST = 10;

class PasswordField extends HTMLElement {
    connectedCallback() {
        const input = this.querySelector("input");
        const button = this.querySelector("button");
        if (!input) {
            return;
        }
        button?.addEventListener("click", () => this.toggle(input, button));
        // What is shown is hidden again before it is sent, so that a browser offers to keep it.
        input.form?.addEventListener("submit", () => {
            input.type = "password";
        });
        input.addEventListener("input", () => this.judge(input.value));
    }

    /**
     * @param {HTMLInputElement} input
     * @param {HTMLButtonElement} button
     */
    toggle(input, button) {
        const isShown = input.type === "password";
        input.type = isShown ? "text" : "password";
        button.setAttribute("aria-pressed", String(isShown));
        button.title = (isShown ? this.dataset.hide : this.dataset.show) ?? "";
        for (const [index, icon] of button.querySelectorAll(".icon").entries()) {
            icon.toggleAttribute("hidden", (index === 0) === isShown);
        }
    }

    /** @param {string} text */
    judge(text) {
        const bars = this.querySelector(".strength");
        const word = this.querySelector(".strength-word");
        if (!(bars instanceof HTMLElement) || !word) {
            return;
        }
        const level = strength(text);
        const words = ["", this.dataset.weak, this.dataset.fair, this.dataset.good, this.dataset.strong];
        bars.dataset.level = String(level);
        word.textContent = words[level] ?? "";
    }
}

/**
 * From 0 (nothing) to 4, by length and by how many different characters there are.
 * @param {string} text
 */
function strength(text) {
    if (text === "") {
        return 0;
    }
    const different = new Set(text).size;
    if (text.length < LEAST || different < 5) {
        return 1;
    }
    const kinds = [/\p{Ll}/u, /\p{Lu}/u, /\p{N}/u, /[^\p{L}\p{N}]/u].filter((kind) => kind.test(text)).length;
    return Math.min(4, 2 + Number(text.length >= 14 || kinds > 2) + Number(text.length >= 18 || (text.length >= 12 && kinds > 2)));
}

customElements.define("app-password-field", PasswordField);
