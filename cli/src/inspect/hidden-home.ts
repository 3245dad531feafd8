import { homedir } from 'node:os';

/** Words for a report that goes to others: the home folder, whose name is mostly a user's, becomes `~`. */
export function withoutHome(words: string, home: string = homedir()): string {
  return home.length > 1 ? words.replaceAll(home, '~') : words;
}
