// Lets the addresses that will exist follow the name as one types, and offers the name as the organization's.

const name = document.querySelector("#name");
const organization = document.querySelector("#organization");

if (name instanceof HTMLInputElement && organization instanceof HTMLInputElement) {
    const places = document.querySelectorAll(".follows-name");
    let isFollowing = organization.value === "" || organization.value === name.value;
    organization.addEventListener("input", () => {
        isFollowing = false;
    });
    name.addEventListener("input", () => {
        for (const place of places) {
            place.textContent = name.value;
        }
        if (isFollowing) {
            organization.value = name.value;
        }
    });
}

export {};
