const sections = [...document.querySelectorAll("section[data-name]")];
const links = [...document.querySelectorAll("nav li")];
let kind = null;

function show() {
  const wanted = document.querySelector("nav input").value.trim().toLowerCase();
  for (const section of sections) {
    const claims = [...section.querySelectorAll("article")];
    for (const claim of claims) claim.hidden = kind !== null && !claim.classList.contains(kind);
    const left = kind === null || claims.some((claim) => !claim.hidden);
    section.hidden = !left || !section.dataset.name.includes(wanted);
  }
  for (const link of links) {
    const target = document.getElementById(link.firstChild.getAttribute("href").slice(1));
    link.hidden = target.hidden;
  }
}

document.querySelector("nav input").addEventListener("input", show);
for (const tile of document.querySelectorAll(".tile")) {
  tile.addEventListener("click", () => {
    kind = kind === tile.dataset.kind ? null : tile.dataset.kind;
    for (const other of document.querySelectorAll(".tile")) {
      other.classList.toggle("chosen", other.dataset.kind === kind);
    }
    show();
  });
}
