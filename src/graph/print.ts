import { bytesOf, formatShape } from '../base/tensor';
import type { TensorData } from '../base/tensor';
import type { Graph } from './builder';
import { attributeText, literalText } from './value';
import type { Attributes, Value } from './value';

/**
 * A graph as text, one line a node: values are numbered in order of use, so that two graphs that compute the same
 * way print the same, whatever else their builders made. Large tensors are printed as a digest of their bytes.
 */
export function print(graph: Graph): string {
  const lines: string[] = [];
  const names = new Map<Value, string>();
  for (const [name, value] of graph.inputs) {
    names.set(value, name);
    lines.push(`input ${name}: ${value.toString()}`);
  }
  for (const [name, value] of graph.weights) {
    names.set(value, name);
    if (value.origin.kind === 'weight')
      lines.push(`weight ${name}: ${value.toString()} #${digest(value.origin.tensor)}`);
  }
  const nameOf = (value: Value): string => {
    const known = names.get(value);
    if (known) return known;
    return value.origin.kind === 'constant' ? literal(value.origin.tensor) : '?';
  };
  let count = 0;
  for (const node of graph.nodes) {
    for (const output of node.outputs) names.set(output, `%${count++}`);
    const left = node.outputs.map((output) => `${names.get(output)}: ${output.toString()}`).join(', ');
    lines.push(`${left} = ${node.op.type}(${node.inputs.map(nameOf).join(', ')})${suffix(node.attributes)}`);
  }
  for (const [name, value] of graph.outputs) lines.push(`output ${name} = ${nameOf(value)}`);
  return lines.join('\n');
}

/** 32 hexadecimal digits that stand for a graph: the key under which its program is cached. */
export const hashGraph = (graph: Graph): string => digestOf(new TextEncoder().encode(print(graph)));

function suffix(attributes: Attributes): string {
  const names = Object.keys(attributes).sort();
  if (!names.length) return '';
  return ` {${names.map((name) => `${name}=${attributeText(attributes[name])}`).join(' ')}}`;
}

const literal = (tensor: TensorData): string =>
  tensor.data.length <= 8
    ? literalText(tensor)
    : `${tensor.dtype}${formatShape(tensor.shape)}#${digest(tensor)}`;

const digests = new WeakMap<object, string>();

/** Digests are kept: a backbone's weights are hashed once, not once for each program. */
function digest(tensor: TensorData): string {
  let known = digests.get(tensor.data);
  if (!known) digests.set(tensor.data, (known = digestOf(bytesOf(tensor.data))));
  return known;
}

/**
 * Four 32-bit multiply-and-rotate lanes over the bytes, mixed at the end: fast and well spread; not for secrets.
 * @source the construction of MurmurHash3 (Appleby), lane constants from it
 */
function digestOf(bytes: Uint8Array): string {
  const lanes = Uint32Array.of(0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = bytes.byteLength >> 2;
  for (let i = 0; i < words; i++) lanes[i & 3] = mix(lanes[i & 3] ^ view.getUint32(i * 4, true));
  for (let i = words * 4; i < bytes.byteLength; i++) lanes[i & 3] = mix(lanes[i & 3] ^ (bytes[i] + 0x100));
  lanes[0] ^= bytes.byteLength;
  for (let round = 0; round < 8; round++)
    lanes[round & 3] = mix(lanes[round & 3] ^ lanes[(round + 1) & 3] ^ round);
  return Array.from(lanes, (lane) => lane.toString(16).padStart(8, '0')).join('');
}

function mix(word: number): number {
  let x = Math.imul(word, 0xcc9e2d51);
  x = (x << 15) | (x >>> 17);
  x = Math.imul(x, 0x1b873593) + 0xe6546b64;
  return (x ^ (x >>> 16)) >>> 0;
}
