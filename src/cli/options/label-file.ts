/** Help of --model-labels, in every command that has it. */
export const modelLabels =
  'labels of the outputs: a file with one per line, optionally numbered or behind their synsets, or JSON';
