/** What the page says of files that are chosen as a model and are none; the images are encoded by sharp. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { exportOnnx } from '../src/onnx/write/export-onnx.ts';
import { foreignFile } from '../web/src/classify/foreign-file.ts';
import { sampleModel } from './sample-model.ts';

describe('a file chosen as a model', () => {
  const image = sharp({ create: { width: 16, height: 16, channels: 3, background: '#c2410c' } });

  it.each([
    ['jpeg', 'a JPEG image'],
    ['png', 'a PNG image'],
    ['gif', 'a GIF image'],
    ['webp', 'a WebP image'],
    ['tiff', 'a TIFF image'],
    ['avif', 'an AVIF or HEIC image'],
  ] as const)('that is an image (%s) is told apart from a broken model', async (format, said) => {
    expect(foreignFile(await image.clone().toFormat(format).toBuffer())).toBe(
      `this is ${said}, not a model. Choose it under Image, and here an .onnx file, as 'inception export' writes it`,
    );
  });

  it('that holds weights is told how to become one', () => {
    expect(foreignFile(Buffer.from('\x40\0\0\0\0\0\0\0{"__metadata__":{}}', 'latin1'))).toBe(
      "this is a safetensors file, which the page cannot run. 'inception export FILE -o model.onnx' makes an ONNX file of weights",
    );
  });

  it('that is ONNX, or nothing known, is left to the reader of ONNX', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'foreign-'));
    try {
      const output = join(folder, 'model.onnx');
      await exportOnnx(sampleModel('inception-v4', { width: 0.125 }), { output });
      expect(foreignFile(readFileSync(output))).toBeUndefined();
    } finally {
      rmSync(folder, { recursive: true });
    }
    expect(foreignFile(Buffer.from('nonsense'))).toBeUndefined();
    expect(foreignFile(new Uint8Array())).toBeUndefined();
  });
});
