/** Against a local hub that answers like huggingface.co. */
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { cache, folder, serve } from '../../test/hub-client.ts';
import { sampleModel } from '../../test/sample-model.ts';
import { differencesWith, misfit } from '../ecosystems/export/fit-dialect.ts';
import { UsageError } from '../errors.ts';
import { type Parameter, parametersOf } from '../graph/graph.ts';
import { preprocessingPresets } from '../images/preprocess.ts';
import { writeModel } from '../model/write-model.ts';
import { openModel } from '../predict/open-model.ts';
import { pushModel } from './push-model.ts';

afterEach(() => vi.unstubAllEnvs());

async function hub() {
  const server = await serve({ writing: { token: 'hf_write', owners: ['me'] } });
  vi.stubEnv('HF_ENDPOINT', server.endpoint);
  vi.stubEnv('HF_HUB_CACHE', cache);
  vi.stubEnv('HF_TOKEN', 'hf_write');
  return server;
}

const small = sampleModel('inception-v3', { width: 0.125 }, { classes: [...'abcdefg'] });

async function writtenModel(): Promise<string> {
  const path = join(folder, 'small.safetensors');
  await writeModel(path, { ...small, parameters: parametersOf(small.graph) });
  return path;
}

describe('pushModel', () => {
  it('uploads a model, config.json and card, which open again as the same model', async () => {
    const server = await hub();
    const notices: string[] = [];
    const pushed = await pushModel(await writtenModel(), 'hub:me/small', {
      onNotice: (line) => void notices.push(line),
      license: 'mit',
    });
    expect(pushed).toMatchObject({ form: 'inception-networks', created: true });
    expect(notices[0]).toMatch(
      /^in this package's own form, not timm's: timm's inception-v3 has other parameters \(here stem\/conv1\/weight \[8, 3, 3, 3\]\): it cannot load these weights$/,
    );
    const card = server.repositories['me/small']?.files['README.md']?.body;
    expect(Buffer.from(card ?? []).toString()).toMatch(
      /license: mit\n[\s\S]*loadClassifier\('hub:me\/small'\)/,
    );
    const opened = await openModel('hub:me/small');
    expect(opened.description).toEqual(small.description);
    expect(opened.source).toBe('hub:me/small');
    const [parameter] = parametersOf(opened.graph) as [Parameter];
    expect(await opened.read(parameter)).toEqual(await small.read(parameter));
    await opened.close();
  });

  it('does not read a model without a token, and refuses a form that it does not have', async () => {
    await hub();
    vi.stubEnv('HF_TOKEN', '');
    vi.stubEnv('HF_TOKEN_PATH', join(folder, 'none'));
    await expect(pushModel('none', 'hub:me/small')).rejects.toThrow('pushing needs a token');
    vi.stubEnv('HF_TOKEN', 'hf_write');
    const path = await writtenModel();
    await expect(pushModel(path, 'hub:me/small', { form: 'timm' })).rejects.toThrow(UsageError);
  });
});

describe('a model in timm’s form', () => {
  const whole = (preprocessing = {}) => {
    const model = sampleModel('inception-v4', { width: 1, blocks: { A: 4, B: 7, C: 3 }, inputSize: 299 });
    const { description } = model;
    const size = description.preprocessing.size;
    return {
      ...model,
      description: {
        ...description,
        preprocessing: { ...preprocessingPresets.inception, size, ...preprocessing },
      },
    };
  };

  it('is one whose parameters and preprocessing timm has', () => {
    expect(misfit(whole(), 'timm')).toBeUndefined();
    expect(differencesWith(whole(), 'timm')).toEqual([]);
  });

  it('computes something else in timm if images are prepared otherwise, which is said', () => {
    expect(differencesWith(whole({ protocol: 'tf-slim', crop: 0.875 }), 'timm')).toEqual([
      'a small inception-v4: images are cut as TF-Slim does here (the central 87.5% of each side, stretched), and timm resizes the shorter side and cuts the centre: results will differ',
    ]);
    expect(differencesWith(whole({ kernel: 'bilinear' }), 'timm')).toEqual([
      "a small inception-v4: images are resized by 'bilinear' here and by Pillow in timm: results will differ",
    ]);
  });

  it('has no network that timm does not have', () => {
    expect(misfit(sampleModel('inception-resnet-v1'), 'timm')).toMatch(
      /^timm has no inception-resnet-v1; it has /,
    );
  });
});
