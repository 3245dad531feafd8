import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { javascript } from '@codemirror/lang-javascript';
import {
  bracketMatching,
  ensureSyntaxTree,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from '@codemirror/language';
import { EditorState } from '@codemirror/state';
import { drawSelection, EditorView, keymap } from '@codemirror/view';
import { tags } from '@lezer/highlight';

// Colours are variables of style.css, so that they follow the theme of the page.
const colours = HighlightStyle.define([
  { tag: tags.comment, color: 'var(--code-comment)' },
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: 'var(--code-keyword)' },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'var(--code-string)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--code-number)' },
  {
    tag: [tags.function(tags.variableName), tags.function(tags.propertyName), tags.className],
    color: 'var(--code-function)',
  },
]);

/** An editor of JavaScript in `parent`. Ctrl-Enter runs. */
export function makeEditor(parent, doc, onChange, run) {
  const runKey = { key: 'Mod-Enter', run: () => run() ?? true };
  return new EditorView({
    parent,
    state: EditorState.create({
      doc,
      extensions: [
        keymap.of([runKey, ...defaultKeymap, ...historyKeymap, indentWithTab]),
        history(),
        drawSelection(),
        bracketMatching(),
        indentOnInput(),
        indentUnit.of('  '),
        javascript(),
        syntaxHighlighting(colours),
        EditorView.contentAttributes.of({ 'aria-label': 'The program' }),
        EditorView.updateListener.of((update) => update.docChanged && onChange()),
      ],
    }),
  });
}

/** Where the program stops being JavaScript: browsers do not tell the line of a syntax error. */
export function firstSyntaxError({ state }) {
  let found;
  ensureSyntaxTree(state, state.doc.length, 1000)?.iterate({
    enter: (node) => {
      if (node.type.isError) found ??= node.from;
      return found === undefined;
    },
  });
  if (found === undefined) return undefined;
  const line = state.doc.lineAt(found);
  return { from: found, words: `line ${line.number}: ${line.text.trim()}` };
}
