import type { ShareInterval, Standing, Tally } from '@zeroseg/core/zeroseg';

/** What the votes say, and how sure that is. */
export function CountTable({ tally }: { tally: Tally }) {
  const { titles, unknown, votes, byPicture, left, agreement } = tally;
  return (
    <>
      <div class="counts">
        <table class="count-table">
          <thead>
            <tr>
              <td />
              <th scope="col">{titles.a}</th>
              <th scope="col">{titles.b}</th>
              <th scope="col">ties</th>
              <th scope="col">fraction of {titles.a}</th>
              <th scope="col">p</th>
            </tr>
          </thead>
          <tbody>
            <CountRow title="votes" of={votes} />
            <CountRow title="pictures" of={byPicture} />
          </tbody>
        </table>
      </div>
      <p class="hint">
        Shares with 95 % confidence (Wilson), p by the exact sign test; ties are left out of both. A picture counts for
        whom most of its votes are. The left was chosen {left.count} of {left.of} times (p {probability(left.p)})
        {agreement !== null &&
          `; two voters agree on a picture in ${Math.round(100 * agreement)} % of all pairs of votes`}
        .
      </p>
      {(['a', 'b'] as const).map(
        (side) =>
          unknown[side].length > 0 && (
            <p class="hint" key={side}>
              Left out of {titles[side]}, since its CLIP does not know them: {unknown[side].join(', ')}.
            </p>
          ),
      )}
    </>
  );
}

function CountRow({ title, of: { a, b, ties, shareOfA, p } }: { title: string; of: Standing }) {
  return (
    <tr>
      <th scope="row">{title}</th>
      <td>{a}</td>
      <td>{b}</td>
      <td>{ties}</td>
      <td>{shareOfA && interval(shareOfA)}</td>
      <td>{probability(p)}</td>
    </tr>
  );
}

function interval({ fraction, low, high }: ShareInterval): string {
  return `${(100 * fraction).toFixed(1)} % (${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)})`;
}

function probability(p: number): string {
  return p < 0.001 ? p.toExponential(1) : p.toFixed(3);
}
