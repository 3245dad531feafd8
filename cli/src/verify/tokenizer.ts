import { Tokenizer } from '@zeroseg/core/zeroseg';
import { Fields } from './manifest.ts';
import { FixtureError, type Report } from './report.ts';

/** Strings with their token ids. */
export async function verifyTokenizer(manifest: Fields, report: Report): Promise<void> {
  const tokenizer = await Tokenizer.clip();
  const context = manifest.whole('context');
  for (const [name, ours] of [
    ['vocabulary', tokenizer.size],
    ['start', tokenizer.start],
    ['end', tokenizer.end],
  ] as const) {
    report.equal('special', name, ours, manifest.whole(name));
  }
  for (const words of ['ftfy', 'note']) manifest.raw(words);
  const cases = manifest.list('cases');
  if (cases.length === 0) throw new FixtureError('the manifest lists no cases');
  for (const [i, json] of cases.entries()) {
    await report.part('tokenizer', `case ${i}`, () => {
      const one = new Fields(json, `case ${i}`);
      const text = one.text('text');
      const group = one.text('group');
      const name = JSON.stringify(text.length <= 40 ? text : `${text.slice(0, 37)}...`);
      for (const flag of ['needs_html', 'needs_text_fixing']) one.raw(flag);
      const [ids, row, truncated] = [one.numbers('ids'), one.numbers('row'), one.flag('truncated')];
      const beyond = one.has('needs_full_ftfy') && one.flag('needs_full_ftfy');
      one.complainAboutUnused();
      if (beyond) {
        // Guesses at wrongly decoded text are not part of the cleaning (spec §12.1): the ids may be others. The row must
        // still follow from the ids that are given.
        const full = [tokenizer.start, ...ids, tokenizer.end];
        const cut = full.length > context ? [...full.slice(0, context - 1), tokenizer.end] : full;
        report.equal(group, `${name} row (needs all of ftfy)`, cut, row);
        return;
      }
      report.equal(group, `${name} ids`, tokenizer.encode(text), ids);
      const padded = [...tokenizer.row(text, context)];
      report.equal(group, `${name} row`, padded, [...row, ...new Array(Math.max(0, context - row.length)).fill(0)]);
      report.equal(group, `${name} truncated`, !tokenizer.fits(text, context), truncated);
    });
  }
  manifest.complainAboutUnused();
}
