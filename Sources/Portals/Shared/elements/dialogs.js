// Opens and closes dialogs where a browser does not yet know the attributes command and commandfor.

if (!("commandForElement" in HTMLButtonElement.prototype)) {
    document.addEventListener("click", (event) => {
        const button = event.target instanceof Element ? event.target.closest("button[commandfor]") : null;
        const dialog = button && document.getElementById(button.getAttribute("commandfor") ?? "");
        if (dialog instanceof HTMLDialogElement) {
            if (button?.getAttribute("command") === "show-modal") {
                dialog.showModal();
            } else {
                dialog.close();
            }
        }
    });
}

export {};
