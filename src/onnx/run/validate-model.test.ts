import fc from 'fast-check';
import protobuf from 'protobufjs/minimal.js';
import { describe, expect, it } from 'vitest';
import { sampleModel } from '../../../test/sample-model.ts';
import { DeployError } from '../deploy-error.ts';
import { encodeModel } from '../write/encode-model.ts';
import { onnxGraphOf } from '../write/onnx-graph-of.ts';
import { validateModel } from './validate-model.ts';

type Value = number | string | Uint8Array | readonly Field[];
type Field = readonly [id: number, value: Value];

/** A message by hand, with any fields in any order: what no encoder with a schema would write. */
function message(...fields: readonly Field[]): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const [id, value] of fields) {
    if (typeof value === 'number') writer.uint32(id << 3).uint32(value);
    else if (typeof value === 'string') writer.uint32((id << 3) | 2).string(value);
    else writer.uint32((id << 3) | 2).bytes(value instanceof Uint8Array ? value : message(...value));
  }
  return writer.finish();
}

const relu: Field = [
  1,
  [
    [1, 'x'],
    [2, 'y'],
    [4, 'Relu'],
  ],
];
/** A model with these fields in its graph. */
const withGraph = (...fields: readonly Field[]) => message([1, 8], [7, fields]);
const walk = (model: Uint8Array) => validateModel(model, 'm.onnx');
const external: Field = [
  13,
  [
    [1, 'location'],
    [2, '/etc/passwd'],
  ],
];

describe('validateModel accepts', () => {
  it('what export writes, and gives its metadata and operators', async () => {
    const graph = await onnxGraphOf(sampleModel('inception-resnet-v2'));
    const model = encodeModel({ graph, metadata: { a: 'b', ä: 'ö' }, producerVersion: '1' });
    const { metadata, operators } = walk(model);
    expect([...metadata]).toEqual([
      ['a', 'b'],
      ['ä', 'ö'],
    ]);
    expect([...operators].sort()).toEqual(
      ['Add', 'Concat', 'Conv', 'Flatten', 'Gemm', 'GlobalAveragePool', 'MaxPool', 'Relu'].sort(),
    );
  });

  it('domains that no node uses, which tf2onnx always imports', () => {
    const imported: Field = [
      8,
      [
        [1, 'ai.onnx.ml'],
        [2, 2],
      ],
    ];
    expect([...walk(message(imported, [8, [[1, 'com.microsoft']]], [7, [relu]])).operators]).toEqual([
      'Relu',
    ]);
  });

  it("ONNX's own domain by either name, and subgraphs of known operators", () => {
    const inner: Field = [5, [[6, [relu]]]];
    const node: Field = [1, [[4, 'If'], [7, 'ai.onnx'], inner]];
    expect([...walk(message([8, [[1, '']]], [7, [node]])).operators]).toEqual(['Relu', 'If']);
  });
});

describe('validateModel refuses', () => {
  it.each<[what: string, model: Uint8Array, says: RegExp]>([
    ['nothing', new Uint8Array(), /it has no graph/],
    ['data of an initialiser in another file', withGraph([5, [external]]), /data in other files/],
    ['the location alone', withGraph([5, [[14, 1]]]), /data in other files/],
    ['data of a sparse initialiser', withGraph([15, [[1, [external]]]]), /data in other files/],
    ['indices of a sparse initialiser', withGraph([15, [[2, [external]]]]), /data in other files/],
    [
      'data of an attribute',
      withGraph([
        1,
        [
          [4, 'Constant'],
          [5, [[5, [external]]]],
        ],
      ]),
      /data in other files/,
    ],
    [
      'data in a list of tensors',
      withGraph([
        1,
        [
          [4, 'Constant'],
          [5, [[10, [external]]]],
        ],
      ]),
      /data in other files/,
    ],
    [
      'sparse data of an attribute',
      withGraph([
        1,
        [
          [4, 'Constant'],
          [5, [[22, [[1, [external]]]]]],
        ],
      ]),
      /data in other/,
    ],
    [
      'data in a subgraph',
      withGraph([
        1,
        [
          [4, 'If'],
          [5, [[6, [[5, [external]]]]]],
        ],
      ]),
      /data in other files/,
    ],
    [
      'data in a list of graphs',
      withGraph([
        1,
        [
          [4, 'If'],
          [5, [[11, [[5, [external]]]]]],
        ],
      ]),
      /data in other files/,
    ],
    ['a second graph with such data', message([7, [relu]], [7, [[5, [external]]]]), /data in other files/],
    [
      'a domain of a node',
      withGraph([
        1,
        [
          [4, 'Relu'],
          [7, 'evil'],
        ],
      ]),
      /domain "evil"/,
    ],
    ['an unknown operator', withGraph([1, [[4, 'Launch']]]), /operator "Launch", which is not accepted/],
    [
      'an unknown operator in a subgraph',
      withGraph([
        1,
        [
          [4, 'If'],
          [5, [[6, [[1, [[4, 'Nope']]]]]]],
        ],
      ]),
      /"Nope"/,
    ],
    ['a node without an operator', withGraph([1, [[1, 'x']]]), /operator ""/],
    ['functions', message([7, [relu]], [25, [[1, 'Relu']]]), /functions of its own/],
    ['training instructions', message([7, [relu]], [20, []]), /training instructions/],
    ['a field with the wrong wire type', message([7, 5]), /field 7 of a ModelProto has the wire type 0/],
    ['a group', Uint8Array.of(0x0b, 0x0c), /field 1 of a ModelProto has the wire type 3/],
    ['a length beyond the end', Uint8Array.of(0x3a, 0x7f), /is not an ONNX file/],
    ['text that is not UTF-8', withGraph([1, [[4, Uint8Array.of(0xff, 0xfe)]]]), /not UTF-8/],
    ['a name of a megabyte', withGraph([1, [[4, 'x'.repeat(1 << 20)]]]), /a string of 1048576 bytes/],
    ["ONNX Runtime's own format", new TextEncoder().encode('\u0008\u0000\u0000\u0000ORTM'), /own format/],
  ])('%s, and names the file', (_, model, says) => {
    expect(() => walk(model)).toThrow(DeployError);
    expect(() => walk(model)).toThrow(says);
    expect(() => walk(model)).toThrow(/^m\.onnx: /);
  });

  it('graphs nested deeper than any network needs, before the stack ends', () => {
    let graph: readonly Field[] = [relu];
    let bytes = message(...graph);
    for (let depth = 0; depth < 5000; depth++)
      bytes = message([1, message([4, 'If'], [5, message([6, bytes])])]);
    graph = [];
    expect(() => walk(message([7, bytes]))).toThrow(/nested more than 16 deep/);
  });
});

/** A valid model, to be damaged. */
const valid = message(
  [1, 8],
  [8, [[2, 17]]],
  [
    7,
    [
      relu,
      [
        1,
        [
          [4, 'Constant'],
          [
            5,
            [
              [1, 'value'],
              [
                5,
                [
                  [1, 2],
                  [2, 1],
                  [9, new Uint8Array(8)],
                ],
              ],
            ],
          ],
        ],
      ],
      [
        5,
        [
          [8, 'w'],
          [2, 1],
          [9, new Uint8Array(16)],
        ],
      ],
    ],
  ],
  [
    14,
    [
      [1, 'model'],
      [2, '{}'],
    ],
  ],
);

describe('validateModel survives', () => {
  const survives = (bytes: Uint8Array) => {
    try {
      walk(bytes);
    } catch (error) {
      // RangeErrors of an exhausted stack, TypeErrors of a mistake would come through as themselves.
      expect(error).toBeInstanceOf(DeployError);
    }
  };

  it('2,000 files of any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), survives), { numRuns: 2000 });
  });

  it('2,000 valid files with bytes changed, cut out, put in twice', () => {
    const place = fc.nat(valid.length - 1);
    const damage = fc.array(fc.tuple(fc.constantFrom('set', 'cut', 'twice'), place, fc.nat(255)), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(damage, (steps) => {
        let bytes = [...valid];
        for (const [kind, at, value] of steps) {
          const length = (value % 9) + 1;
          if (kind === 'set') bytes[at % bytes.length] = value;
          else if (kind === 'cut') bytes.splice(at % bytes.length, length);
          else bytes = [...bytes.slice(0, at + length), ...bytes.slice(at)];
        }
        survives(Uint8Array.from(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  it('every beginning of a valid file', () => {
    for (let length = 0; length < valid.length; length++) survives(valid.subarray(0, length));
  });

  it('random trees of messages, and lets none through that refers to another file', () => {
    const { tree } = fc.letrec<{ tree: Uint8Array; field: Field }>((tie) => ({
      field: fc.tuple(
        fc.constantFrom(1, 2, 4, 5, 6, 7, 8, 10, 11, 13, 14, 15, 20, 22, 25),
        fc.oneof({ depthSize: 'small' }, fc.nat(9), fc.constantFrom('', 'If', 'Relu', 'x'), tie('tree')),
      ) as fc.Arbitrary<Field>,
      tree: fc.array(tie('field'), { maxLength: 5 }).map((fields) => message(...fields)),
    }));
    fc.assert(
      fc.property(tree, (graph) => survives(message([7, graph]))),
      { numRuns: 2000 },
    );
  });

  it('a gigabyte that is promised, and a file of 64 MB, without taking memory for them', () => {
    const promised = Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0x03);
    const large = withGraph(relu, [5, [[9, new Uint8Array(64 << 20)]]]);
    const before = process.memoryUsage();
    for (let round = 0; round < 20; round++) {
      survives(promised);
      survives(large);
    }
    const after = process.memoryUsage();
    expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(8 << 20);
  });

  it('metadata without end by refusing them', () => {
    const entry: Field = [
      14,
      [
        [1, 'k'],
        [2, 'v'.repeat(1 << 20)],
      ],
    ];
    expect(() => walk(message([7, [relu]], ...new Array<Field>(17).fill(entry)))).toThrow(
      /metadata have more than/,
    );
  });
});
