// Shapes, costs and the figure of a network with options: node examples/look-at-a-network.mjs > figure.svg
import {
  buildGraph,
  configure,
  costsOf,
  drawDiagram,
  findNetwork,
  summariseParts,
} from 'inception-networks/networks';

const network = configure(findNetwork('inception-resnet-v2'), { classes: 10, width: 0.25, inputSize: 139 });
const graph = buildGraph(network);
for (const { name, shape, macs } of summariseParts(graph)) console.error(name, shape.join('×'), macs);
console.error(costsOf(graph));
process.stdout.write(drawDiagram(network));
