// Search of the first page: without it, the list by department leads to the same pages.
const form = document.querySelector(".recherche");
const field = form.querySelector("input");
const answer = form.querySelector("[aria-live]");
const list = form.querySelector("ul");
const plain = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase()
  .replace(/[^a-z0-9]+/g, " ").trim().replace(/\bst\b/g, "saint").replace(/\bste\b/g, "sainte");
let towns;
form.hidden = false;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  list.querySelector("a")?.click();
});
field.addEventListener("input", async () => {
  towns ??= fetch(form.dataset.index).then((reply) => reply.json());
  const wanted = plain(field.value);
  const known = await towns;
  if (wanted !== plain(field.value)) return;
  const found = wanted.length < 2 ? [] : known
    .map((town) => [town, plain(town[1])])
    .filter(([town, name]) => name.includes(wanted) || town[0].toLowerCase() === wanted || town[4].includes(wanted))
    .sort((a, b) => Number(b[1].startsWith(wanted)) - Number(a[1].startsWith(wanted)))
    .slice(0, 12).map(([town]) => town);
  list.replaceChildren(...found.map(([code, name, slug, departement]) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `ville/${code}-${slug}/`;
    link.textContent = `${name} (${departement})`;
    item.append(link);
    return item;
  }));
  answer.textContent = wanted.length < 2 ? "" : `${found.length} commune${found.length > 1 ? "s" : ""}`;
});
