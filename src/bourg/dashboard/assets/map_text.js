// French texts, numbers and marks shared by the parts of the map.

const NUMBER = new Intl.NumberFormat('fr-FR');

export const number = (value) => NUMBER.format(value);

/** "1 lieu", "2 345 lieux". */
export const count = (value, one, many) => `${number(value)} ${value > 1 ? many : one}`;

/** Letter and shape of each category: the colour never tells alone. */
export const MARKS = {
  'patrimoine': { letter: 'P', shape: 'carre', label: 'Patrimoine' },
  'spectacle vivant': { letter: 'S', shape: 'losange', label: 'Spectacle vivant' },
  'autre vivant': { letter: 'V', shape: 'rond', label: 'Autre lieu vivant' },
  'non classé': { letter: '?', shape: 'rond', label: 'Non classé' },
};

/** Views offered by "Aller à": south, west, north, east. */
export const VIEWS = {
  'France métropolitaine': [41.3, -5.2, 51.15, 9.65],
  'Guadeloupe': [15.8, -61.85, 16.55, -60.95],
  'Martinique': [14.35, -61.3, 14.95, -60.75],
  'Guyane': [2.0, -54.7, 5.9, -51.5],
  'La Réunion': [-21.45, 55.15, -20.8, 55.9],
  'Mayotte': [-13.05, 44.95, -12.6, 45.35],
};
export const HOME = 'France métropolitaine';

/** Create an element: `make('p', { class: 'x', text: 'y' }, child…)`. Texts only ever become text nodes. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'text') node.textContent = value;
    else if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** The mark of a category, as drawn on the map and in the legend. */
export function markOf(category) {
  const mark = MARKS[category] ?? MARKS['non classé'];
  return make('span', { 'class': `mark ${mark.shape}`, 'data-category': category, 'aria-hidden': 'true' },
    make('span', { text: mark.letter }));
}
