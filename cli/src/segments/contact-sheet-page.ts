/** Style and script of the contact sheet; both go into the page as they are. */

export const sheetStyle: string = `
main { max-width: 1500px; padding: 24px 20px 64px; }
h1 { margin-bottom: 2px; } th small { color: var(--soft); } h2 { font-size: 14px; font-weight: 600; margin: 0; overflow-wrap: anywhere; }
p { margin: 0 0 12px; color: var(--soft); max-width: 60em; }
form { position: sticky; top: 0; z-index: 1; background: var(--paper); border: 1px solid var(--line); border-radius: 12px; padding: 12px 16px; margin: 16px 0; display: grid; gap: 10px; max-height: 45vh; overflow-y: auto; }
fieldset { border: 0; margin: 0; padding: 0; min-width: 0; display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: center; }
legend { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
label { display: inline-flex; align-items: center; gap: 7px; white-space: nowrap; } label small { color: var(--soft); font-variant-numeric: tabular-nums; }
input, select, button { font: inherit; color: inherit; accent-color: var(--accent); }
input[type=search], select, button { background: var(--ground); border: 1px solid var(--line); border-radius: 8px; padding: 4px 10px; } select { max-width: 16em; }
input[type=checkbox] { width: 17px; height: 17px; margin: 0; } button { cursor: pointer; }
i { width: 12px; height: 12px; border-radius: 3px; flex: none; display: inline-block; border: 1px solid rgb(128 128 128 / .5); background: var(--colour); }
#cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)); gap: 16px; list-style: none; margin: 0; padding: 0; }
article { background: var(--paper); border: 1px solid var(--line); border-radius: 12px; padding: 12px; height: 100%; display: grid; gap: 10px; grid-template-rows: auto auto 1fr auto; }
.stage { position: relative; display: block; width: min(100%, 560px * var(--ratio)); margin: 0 auto; border-radius: 8px; overflow: hidden; background: var(--line); }
.stage img, .stage svg { display: block; width: 100%; height: auto; } .stage svg { position: absolute; inset: 0; height: 100%; }
.stage.thin { width: min(100%, 320px * var(--ratio)); aspect-ratio: var(--ratio); } .stage.thin img { height: 100%; } h2 small { font-weight: 400; color: var(--soft); }
path { fill: var(--colour); fill-opacity: var(--opacity, .5); stroke: #fff; stroke-opacity: .8; stroke-width: 1.2; vector-effect: non-scaling-stroke; }
svg.one path { fill-opacity: .06; stroke-opacity: .25; } svg.one path.lit { fill-opacity: .72; stroke-opacity: 1; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums; align-self: start; }
th, td { text-align: right; font-weight: 400; padding: 3px 0 3px 10px; border-top: 1px solid var(--line); } th:first-child { text-align: left; padding-left: 0; overflow-wrap: anywhere; }
thead th { border: 0; color: var(--soft); font-size: 12.5px; } tbody tr:hover { background: var(--ground); } th i { margin-right: 7px; vertical-align: -1px; }
.links { font-size: 13.5px; display: flex; flex-wrap: wrap; gap: 2px 12px; margin: 0; }
.failed { margin-top: 24px; }
@media (max-width: 760px), (max-height: 560px) { form { position: static; max-height: none; } }
`;

export const sheetScript: string = `
const cards = [...document.querySelectorAll('#cards > li')];
const boxes = [...document.querySelectorAll('input[name=word]')];
const [sort, find, only, opacity, shown] = ['sort', 'find', 'only', 'opacity', 'shown'].map((id) => document.getElementById(id));
const fraction = (card, word) => Number(card.querySelector('tr[data-word="' + word + '"]')?.dataset.fraction ?? 0);
function show() {
  const words = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  for (const path of document.querySelectorAll('path')) path.toggleAttribute('hidden', !words.has(path.dataset.word));
  const text = find.value.trim().toLowerCase();
  for (const card of cards) {
    card.hidden = !card.dataset.name.toLowerCase().includes(text) || only.checked && ![...words].some((word) => fraction(card, word) > 0);
  }
  shown.textContent = cards.filter((card) => !card.hidden).length + ' of ' + cards.length + ' shown';
}
function order() {
  const by = sort.value;
  const sorted = [...cards];
  if (by === 'name') sorted.sort((a, b) => a.dataset.name.localeCompare(b.dataset.name, undefined, { numeric: true }));
  else if (by !== 'given') sorted.sort((a, b) => fraction(b, by) - fraction(a, by));
  document.getElementById('cards').append(...sorted);
}
function light(row, on) {
  const svg = row.closest('article').querySelector('svg');
  const path = svg.querySelector('path[data-word="' + row.dataset.word + '"]');
  if (!path) return;
  svg.classList.toggle('one', on);
  path.classList.toggle('lit', on);
}
for (const row of document.querySelectorAll('tr[data-word]')) {
  row.addEventListener('pointerenter', () => light(row, true));
  row.addEventListener('pointerleave', () => light(row, false));
}
document.forms[0].addEventListener('submit', (event) => event.preventDefault());
for (const one of [...boxes, find, only]) one.addEventListener('input', show);
sort.addEventListener('input', order);
opacity.addEventListener('input', () => document.body.style.setProperty('--opacity', opacity.value));
for (const [id, on] of [['all', true], ['none', false]]) {
  document.getElementById(id).addEventListener('click', () => { for (const box of boxes) box.checked = on; show(); });
}
show();
order();
`;
