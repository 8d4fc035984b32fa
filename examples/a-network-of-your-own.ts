/**
 * A network that is in no paper, written as a figure; everything else is derived from it. Costs and a drawing:
 *
 *     node examples/a-network-of-your-own.ts
 *
 * and trained on a folder of class folders, exported to ONNX, and used from the exported file:
 *
 *     node examples/a-network-of-your-own.ts photos/ runs/mine
 *
 * (Node.js 22.18 runs TypeScript directly. `inception train examples/a-network-of-your-own.ts` accepts the file too.)
 */
import { writeFile } from 'node:fs/promises';
import {
  buildGraph,
  configure,
  conv,
  costsOf,
  depthwise,
  drawDiagram,
  filterConcat,
  fullyConnected,
  globalAvgPool,
  loadClassifier,
  maxPool,
  type Network,
  openModel,
  registerNetwork,
  repeat,
  sequence,
  sum,
  type TrainOptions,
  train,
} from 'inception-networks';
import { exportOnnx } from 'inception-networks/onnx';

/** An Inception block whose 5x5 branch is depthwise; 96 channels. */
const block = filterConcat(
  [conv('1x1', 32)],
  [conv('1x1', 24), conv('3x3', 32)],
  [conv('1x1', 16), depthwise('5x5')],
  [maxPool('3x3'), conv('1x1', 16)],
);

/** A residual block with the input as its shortcut. */
const residualBlock = sum(
  [],
  [conv('1x1', 48), conv('3x3', 48, undefined, { groups: 4 }), conv('1x1', 96, 'Linear')],
);

export const network: Network = {
  name: 'a-network-of-your-own',
  about: 'Inception blocks, then residual blocks with groups',
  input: [96, 96, 3],
  classes: 10,
  layers: {
    stem: sequence(conv('3x3', 32, 'stride 2'), conv('3x3', 64), maxPool('3x3', 'stride 2')), // 24×24×64
    blocks: repeat(2, block), // 24×24×96
    reduction: conv('3x3', 96, 'stride 2'), // 12×12×96
    residuals: repeat(3, residualBlock), // 12×12×96
    averagePooling: globalAvgPool(),
    logits: fullyConnected(),
  },
  stages: { A: 'blocks', B: 'residuals' },
};

export default registerNetwork(network);

/** Trains and exports the network; returns the exported file. */
export async function trainAndExport(options: Omit<TrainOptions, 'network'>): Promise<string> {
  for await (const event of train({ ...options, network: network.name }))
    if (event.kind === 'evaluation' || event.kind === 'test')
      console.error(`epoch ${event.epoch}: ${event.kind} error ${event.top1Error}`);
  const model = await openModel(options.out);
  const { file } = await exportOnnx(model, {
    output: `${options.out}/model.onnx`,
    input: 'uint8',
    softmax: true,
  });
  await model.close();
  return file;
}

if (process.argv[1] === import.meta.filename) {
  const [data, out] = process.argv.slice(2);
  const configured = configure(network);
  console.error(costsOf(buildGraph(configured)));
  await writeFile(`${network.name}.svg`, drawDiagram(configured));
  if (data && out) {
    const classifier = await loadClassifier(
      await trainAndExport({ data, out, recipe: { name: 'small-data' } }),
    );
    console.error(classifier.classes);
    await classifier.close();
  }
}
