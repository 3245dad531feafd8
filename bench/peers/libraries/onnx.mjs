// Writes ONNX models: the few messages of onnx.proto that these need. https://github.com/onnx/onnx/blob/main/onnx/onnx.proto

const FLOAT = 1;
const INT64 = 7;

/**
 * A model with one graph.
 *
 * @param {object} graph
 * @param {Record<string, readonly number[]>} graph.inputs Shapes.
 * @param {Record<string, readonly number[]>} graph.outputs Shapes.
 * @param {Record<string, { shape: readonly number[], values: Float32Array | BigInt64Array }>} graph.constants
 * @param {readonly Node[]} graph.nodes In the order of their execution.
 *
 * @typedef {{ op: string, inputs: string[], outputs: string[], attributes?: Record<string, number | number[]>, domain?: string }} Node
 *
 * @returns {Uint8Array}
 */
export function model({ inputs, outputs, constants, nodes }) {
  const graph = [
    ...nodes.map((node) => message(1, nodeOf(node))),
    text(2, 'graph'),
    ...Object.entries(constants).map(([name, constant]) => message(5, tensorOf(name, constant))),
    ...Object.entries(inputs).map(([name, shape]) => message(11, shapeOf(name, shape))),
    ...Object.entries(outputs).map(([name, shape]) => message(12, shapeOf(name, shape))),
  ];
  const operators = (domain, version) => message(8, [text(1, domain), integer(2, version)]);
  return bytesOf([integer(1, 9), message(7, graph), operators('', 20), operators('com.microsoft', 1)]);
}

function nodeOf({ op, inputs, outputs, attributes = {}, domain = '' }) {
  return [
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => message(5, attributeOf(name, value))),
    text(7, domain),
  ];
}

/** Lists and whole numbers are integers; what has a fraction is a float. */
function attributeOf(name, value) {
  if (Array.isArray(value)) return [text(1, name), ...value.map((item) => integer(8, item)), integer(20, 7)];
  if (Number.isInteger(value)) return [text(1, name), integer(3, value), integer(20, 2)];
  return [text(1, name), key(2, 5), new Uint8Array(Float32Array.of(value).buffer), integer(20, 1)];
}

function tensorOf(name, { shape, values }) {
  const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const type = values instanceof BigInt64Array ? INT64 : FLOAT;
  return [...shape.map((size) => integer(1, size)), integer(2, type), text(8, name), bytes(9, raw)];
}

function shapeOf(name, shape) {
  const sizes = shape.map((size) => message(1, [integer(1, size)]));
  return [text(1, name), message(2, [message(1, [integer(1, FLOAT), message(2, sizes)])])];
}

// Protocol Buffers: a field is its key (number and wire type) and its value.

function key(field, type) {
  return varint(field * 8 + type);
}

/** A whole number; a negative one as 64 bits of two's complement. */
function integer(field, value) {
  return bytesOf([key(field, 0), varint(value)]);
}

function text(field, value) {
  return bytes(field, new TextEncoder().encode(value));
}

function message(field, parts) {
  return bytes(field, bytesOf(parts));
}

function bytes(field, value) {
  return bytesOf([key(field, 2), varint(value.length), value]);
}

function varint(value) {
  let rest = BigInt.asUintN(64, BigInt(value));
  const result = [];
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    result.push(rest > 0n ? low | 128 : low);
  } while (rest > 0n);
  return Uint8Array.from(result);
}

function bytesOf(parts) {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
