/**
 * The build phase of k-medoids by its definition, of one image: the sum over members is computed anew for every candidate and every
 * set of medoids. `similarity` `[members, members]`.
 */
export function referenceMedoids(similarity: ArrayLike<number>, count: number): number[] {
  const members = Math.sqrt(similarity.length);
  const chosen: number[] = [];
  const total = (those: readonly number[]): number => {
    let sum = 0;
    for (let n = 0; n < members; n++) sum += Math.max(...those.map((m) => similarity[n * members + m] as number));
    return sum;
  };
  while (chosen.length < count) {
    const totals = Array.from({ length: members }, (_, m) => total([...chosen, m]));
    chosen.push(totals.indexOf(Math.max(...totals)));
  }
  return chosen;
}
