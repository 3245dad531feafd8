/** Reads Python's pickles as data: nothing that they name is ever called, and what weights do not need is refused by its name. */
import { Cursor, refusal } from './pickle-bytes.ts';
import { long, Persistent, ValueMaker } from './pickle-values.ts';

const MARK = Symbol('mark');
const codes = {
  MARK: '(',
  STOP: '.',
  POP: '0',
  POP_MARK: '1',
  NONE: 'N',
  NEWTRUE: '\x88',
  NEWFALSE: '\x89',
  BININT: 'J',
  BININT1: 'K',
  BININT2: 'M',
  LONG1: '\x8a',
  LONG4: '\x8b',
  BINFLOAT: 'G',
  BINUNICODE: 'X',
  SHORT_BINUNICODE: '\x8c',
  BINUNICODE8: '\x8d',
  BINSTRING: 'T',
  SHORT_BINSTRING: 'U',
  BINBYTES: 'B',
  SHORT_BINBYTES: 'C',
  BINBYTES8: '\x8e',
  EMPTY_LIST: ']',
  APPEND: 'a',
  APPENDS: 'e',
  EMPTY_TUPLE: ')',
  TUPLE: 't',
  TUPLE1: '\x85',
  TUPLE2: '\x86',
  TUPLE3: '\x87',
  EMPTY_DICT: '}',
  SETITEM: 's',
  SETITEMS: 'u',
  EMPTY_SET: '\x8f',
  ADDITEMS: '\x90',
  FROZENSET: '\x91',
  BINGET: 'h',
  LONG_BINGET: 'j',
  BINPUT: 'q',
  LONG_BINPUT: 'r',
  MEMOIZE: '\x94',
  GLOBAL: 'c',
  STACK_GLOBAL: '\x93',
  REDUCE: 'R',
  NEWOBJ: '\x81',
  BUILD: 'b',
  BINPERSID: 'Q',
  PROTO: '\x80',
  FRAME: '\x95',
} as const;
const names: ReadonlyMap<number, keyof typeof codes> = /*#__PURE__*/ new Map(
  Object.entries(codes).map(([name, code]) => [code.charCodeAt(0), name as keyof typeof codes]),
);

/** What other instructions of Python's pickles are called, for messages. */
const refused: Readonly<Record<string, string>> = {
  I: 'INT',
  L: 'LONG',
  F: 'FLOAT',
  S: 'STRING',
  V: 'UNICODE',
  P: 'PERSID',
  i: 'INST',
  o: 'OBJ',
  d: 'DICT',
  l: 'LIST',
  g: 'GET',
  p: 'PUT',
  '2': 'DUP',
  '\x82': 'EXT1',
  '\x83': 'EXT2',
  '\x84': 'EXT4',
  '\x92': 'NEWOBJ_EX',
  '\x96': 'BYTEARRAY8',
  '\x97': 'NEXT_BUFFER',
  '\x98': 'READONLY_BUFFER',
};

/** Python's numbers and texts as they are; lists and tuples as arrays; dictionaries as maps. */
export interface Unpickled {
  readonly value: unknown;
  /** What it refers to outside of itself. */
  readonly persistent: readonly Persistent[];
  /** Bytes of the pickle. */
  readonly size: number;
}

/**
 * Reads the pickle at the beginning of `bytes`.
 *
 * @param file A name for error messages.
 * @throws CheckpointError when it names what weights do not need, has an instruction that PyTorch does not write, or is damaged.
 */
export function unpickle(bytes: Uint8Array, file: string): Unpickled {
  const cursor = new Cursor(bytes, file);
  const make = new ValueMaker(file);
  const persistent: Persistent[] = [];
  const stack: unknown[] = [];
  const memo = new Map<number, unknown>();
  const pop = (): unknown => {
    if (stack.length === 0 || stack.at(-1) === MARK) throw refusal(file, 'it takes more than it has put down');
    return stack.pop();
  };
  const popMark = (): unknown[] => {
    const mark = stack.lastIndexOf(MARK);
    if (mark < 0) throw refusal(file, 'a mark is missing');
    const items = stack.splice(mark + 1);
    stack.pop();
    return items;
  };
  const top = (): unknown => {
    if (stack.length === 0) throw refusal(file, 'it takes more than it has put down');
    return stack.at(-1);
  };
  const recall = (key: number): void => {
    if (!memo.has(key)) throw refusal(file, `it refers to memory ${key}, where nothing is`);
    stack.push(memo.get(key));
  };
  for (;;) {
    const code = cursor.byte();
    make.spend(1);
    switch (names.get(code)) {
      case 'PROTO':
        if (cursor.byte() > 5) throw refusal(file, 'its protocol is newer than 5');
        break;
      case 'FRAME':
        cursor.take(8);
        break;
      case 'STOP': {
        const value = pop();
        if (stack.length > 0) throw refusal(file, 'it ends with more than one value');
        return { value, persistent, size: cursor.at };
      }
      case 'MARK':
        stack.push(MARK);
        break;
      case 'POP':
        top();
        stack.pop();
        break;
      case 'POP_MARK':
        popMark();
        break;
      case 'NONE':
        stack.push(null);
        break;
      case 'NEWTRUE':
        stack.push(true);
        break;
      case 'NEWFALSE':
        stack.push(false);
        break;
      case 'BININT':
        stack.push(cursor.view(4).getInt32(0, true));
        break;
      case 'BININT1':
        stack.push(cursor.byte());
        break;
      case 'BININT2':
        stack.push(cursor.view(2).getUint16(0, true));
        break;
      case 'LONG1':
        stack.push(long(file, cursor.take(cursor.byte())));
        break;
      case 'LONG4':
        stack.push(long(file, cursor.take(cursor.size(4))));
        break;
      case 'BINFLOAT':
        stack.push(cursor.view(8).getFloat64(0));
        break;
      case 'BINUNICODE':
        stack.push(cursor.text(cursor.size(4)));
        break;
      case 'SHORT_BINUNICODE':
        stack.push(cursor.text(cursor.byte()));
        break;
      case 'BINUNICODE8':
        stack.push(cursor.text(cursor.size(8)));
        break;
      case 'BINSTRING':
        stack.push(cursor.text(cursor.size(4)));
        break;
      case 'SHORT_BINSTRING':
        stack.push(cursor.text(cursor.byte()));
        break;
      case 'BINBYTES':
        stack.push(cursor.take(cursor.size(4)));
        break;
      case 'SHORT_BINBYTES':
        stack.push(cursor.take(cursor.byte()));
        break;
      case 'BINBYTES8':
        stack.push(cursor.take(cursor.size(8)));
        break;
      case 'EMPTY_LIST':
      case 'EMPTY_TUPLE':
      case 'EMPTY_SET':
        stack.push([]);
        break;
      case 'APPEND': {
        const item = pop();
        make.append(top(), [item]);
        break;
      }
      case 'APPENDS':
      case 'ADDITEMS': {
        const items = popMark();
        make.append(top(), items);
        break;
      }
      case 'TUPLE':
      case 'FROZENSET':
        stack.push(popMark());
        break;
      case 'TUPLE1':
        stack.push([pop()]);
        break;
      case 'TUPLE2': {
        const last = pop();
        stack.push([pop(), last]);
        break;
      }
      case 'TUPLE3': {
        const [last, second] = [pop(), pop()];
        stack.push([pop(), second, last]);
        break;
      }
      case 'EMPTY_DICT':
        stack.push(new Map());
        break;
      case 'SETITEM': {
        const [value, key] = [pop(), pop()];
        make.setItems(top(), [key, value]);
        break;
      }
      case 'SETITEMS': {
        const items = popMark();
        make.setItems(top(), items);
        break;
      }
      case 'BINGET':
        recall(cursor.byte());
        break;
      case 'LONG_BINGET':
        recall(cursor.size(4));
        break;
      case 'BINPUT':
        memo.set(cursor.byte(), top());
        break;
      case 'LONG_BINPUT':
        memo.set(cursor.size(4), top());
        break;
      case 'MEMOIZE':
        memo.set(memo.size, top());
        break;
      case 'GLOBAL':
        stack.push(make.named(cursor.line(), cursor.line()));
        break;
      case 'STACK_GLOBAL': {
        const [name, module] = [pop(), pop()];
        stack.push(make.named(module, name));
        break;
      }
      case 'REDUCE': {
        const [args, of] = [pop(), pop()];
        stack.push(make.call(of, args));
        break;
      }
      case 'NEWOBJ': {
        const [args, of] = [pop(), pop()];
        stack.push(make.object(of, args));
        break;
      }
      case 'BUILD': {
        const state = pop();
        make.build(top(), state);
        break;
      }
      case 'BINPERSID': {
        const reference = new Persistent(pop());
        persistent.push(reference);
        stack.push(reference);
        break;
      }
      default: {
        const letter = String.fromCharCode(code);
        const name = Object.hasOwn(refused, letter) ? refused[letter] : `0x${code.toString(16).padStart(2, '0')}`;
        throw refusal(file, `it has the instruction ${name}, which PyTorch does not write`);
      }
    }
  }
}
