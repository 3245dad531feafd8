import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { evaluationPage } from '../../../cli/src/evaluations/evaluation-page.ts';
import { chartLibrary, escapeHtml, htmlPage, htmlPercent, scriptLiteral } from '../../../cli/src/html/index.ts';
import { demoScript, demoStyle } from '../../../cli/src/reports/demo/style.ts';
import { reportScript, reportStyle } from '../../../cli/src/reports/report-page.ts';
import { ContactSheet } from '../../../cli/src/segments/contact-sheet.ts';
import { ConfusionMatrix } from '../../../src/zeroseg/index.ts';
import { classRecord, classRegions } from '../../../src/zeroseg/regions/index.ts';

test('text of a page shows what it holds and obeys none of it', () => {
  expect(escapeHtml('<b title="a">&\u202e\'')).toBe('&#60;b title=&#34;a&#34;&#62;&#38;\\u202e&#39;');
  expect(scriptLiteral({ a: '</script>' })).toBe('{"a":"\\u003c/script>"}');
});

test('percent of a page: no 0 of what is there', () => {
  const thin = '\u2009';
  expect([0.4154, 0, 0.0004, 0.0006, null].map((value) => htmlPercent(value))).toEqual(
    [`41.5 %`, '0.0 %', '&lt; 0.1 %', '0.1 %', '–'].map((text) => text.replaceAll(' ', thin)),
  );
  expect(htmlPercent(0.004, 0)).toBe(`&lt;${thin}1${thin}%`);
});

/** Custom properties that rules use and nothing sets, data that scripts read and no element has. */
function missing(page: string): string[] {
  const [used, data] = [page.matchAll(/var\((--[\w-]+)/g), page.matchAll(/dataset\.(\w+)/g)];
  return [
    ...[...used].map(([, name]) => name!).filter((name) => !page.includes(`${name}:`) && !page.includes(`'${name}'`)),
    ...[...data].map(([, name]) => `data-${name}`).filter((name) => !page.includes(`${name}="`)),
  ];
}

test('an evaluation: its rules find what its elements set', () => {
  const confusion = new ConfusionMatrix(2);
  confusion.add(Uint8Array.of(0, 1, 1, 0), Uint8Array.of(0, 1, 0, 0));
  const classes = [
    { label: 0, name: 'background', iou: 0.66, pixels: 3 },
    { label: 1, name: '<cat>', iou: 0.5, pixels: 1 },
  ];
  const scores = { mean_iou: 0.58, mean_iou_without_background: 0.5, pixel_accuracy: 0.75 };
  const page = evaluationPage(
    { title: 'Two classes', notes: ['a note'], unit: 'photos' },
    { data: 'voc', photos: 1, threshold: 0.5, ...scores, classes },
    [],
    confusion,
    () => [1, 2, 3],
  );
  expect(missing(page)).toEqual([]);
  expect(page).not.toContain('<cat>');
});

test('a contact sheet: its script finds what its elements hold', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sheet-'));
  try {
    const sheet = new ContactSheet();
    const classes = classRegions({ width: 3, height: 1, data: Uint8Array.of(0, 1, 1) }).map((region) =>
      classRecord(region, { name: ['background', 'cat'][region.label]!, colour: [255, 136, 0] }),
    );
    sheet.add('a', {
      format: 'zeroseg-segments-1',
      photo: 'a.jpg',
      width: 3,
      height: 1,
      source: { file: 'a.jpg', bytes: 1, modified: 1 },
      files: { overlay: 'a.overlay.png', labels: 'a.labels.png', thumbnail: 'a.thumbnail.jpg', cutouts: {} },
      classes,
      names: ['cat'],
      resized: { width: 3, height: 1 },
      options: {},
      unknown: [],
      model: {},
      clip: null,
      settings: '',
    });
    const page = await readFile(await sheet.write(folder, { notes: [], failed: new Map() }), 'utf8');
    expect(missing(page)).toEqual([]);
    expect(page).toContain('data-fraction="0.666667"');
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('reports: their rules and scripts use what is there', () => {
  const { style, script } = chartLibrary();
  for (const [rules, own] of [
    [reportStyle, reportScript],
    [demoStyle, demoScript],
  ] as const) {
    const main = '<i style="--fraction:1;--low:1;--high:1"></i>';
    const page = htmlPage({ title: 'a', style: style + rules, main, scripts: [own] });
    expect(missing(page).filter((name) => !name.startsWith('data-'))).toEqual([]);
    const variables = [...own.matchAll(/chartColour\('(--[\w]+)'/g)].map(([, name]) => `${name}:`);
    expect(variables.filter((name) => !page.includes(name))).toEqual([]);
    expect(() => new Function(`${script.slice(script.lastIndexOf('\nconst chartColour'))}${own}`)).not.toThrow();
  }
});
