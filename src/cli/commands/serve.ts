/** `inception serve`: serves models over HTTP. */
import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { UsageError } from '../../errors.ts';
import { isLoopback } from '../../server/http/access/allowed-hosts.ts';
import { namedModel, openServedModels } from '../../server/models/open-served-models.ts';
import { defaultSettings, type ServerSettings } from '../../server/settings.ts';
import { packageVersion } from '../../version.ts';
import { addInferenceOptions, type InferenceOptions, runtimeOptions } from '../options/engine-options.ts';
import { noticesTo, predictingArgument } from '../options/model-options.ts';
import {
  addCropOptions,
  addOnnxOptions,
  type CropOptions,
  isOverridden,
  type OnnxOptions,
  readOnnxOptions,
} from '../options/onnx-options.ts';
import { oneOf, wholeNumber } from '../usage.ts';

type Values = InferenceOptions &
  OnnxOptions &
  CropOptions & {
    readonly host: string;
    readonly port: number;
    readonly token?: string;
    readonly tokenFile?: string;
    readonly cors?: readonly string[];
    readonly allowHost?: readonly string[];
    readonly batch?: number;
    readonly wait: number;
    readonly queue?: number;
    readonly deadline: number;
    readonly decoders: number;
    readonly images: number;
    readonly bodyLimit: number;
    readonly drain: number;
    readonly grace: number;
    readonly log: string;
  };

const levels = ['debug', 'info', 'warn', 'error', 'silent'] as const;

const units = { ms: 1, s: 1000, m: 60_000 } as const;
const sizes = { kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30 } as const;

const maxDurationMs = 24 * 60 * 60_000;

/** `5ms`, `1.5s`, `2m` → milliseconds. */
const duration = (option: string) => (text: string) => {
  const [, value, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? [];
  const ms = Number(value) * units[unit as keyof typeof units];
  // Node fires timers longer than 24 days immediately.
  if (!(ms <= maxDurationMs))
    throw new UsageError(
      `${option}: expected a duration of at most a day, like 5ms, 2s or 1m, received '${text}'`,
    );
  return ms;
};

/** `32mb` → bytes. */
const size = (option: string) => (text: string) => {
  const [, value, unit] = /^(\d+)(kb|mb|gb)$/i.exec(text) ?? [];
  if (value === undefined || Number(value) === 0)
    throw new UsageError(`${option}: expected a size like 500kb or 32mb, received '${text}'`);
  return Number(value) * sizes[(unit as string).toLowerCase() as keyof typeof sizes];
};

const port = (text: string) => {
  const value = wholeNumber('--port', 0)(text);
  if (value > 65_535) throw new UsageError(`--port: expected at most 65535, received '${text}'`);
  return value;
};

/** `https://app.example`, as browsers send it: no path, no slash at the end. */
const origins = (text: string, before: readonly string[] = []): readonly string[] => {
  if (text !== '*' && !(URL.canParse(text) && new URL(text).origin === text))
    throw new UsageError(
      `--cors: expected origins such as https://app.example or http://localhost:5173, or '*', received '${text}'`,
    );
  return [...before, text];
};

const timeOption = (name: string, about: string, ms: number): Option =>
  new Option(`${name} <time>`, about)
    .argParser(duration(name))
    .default(ms, ms < units.s ? `${ms}ms` : `${ms / units.s}s`);

export function addServe(program: Command): void {
  const command = addInferenceOptions(
    program
      .command('serve')
      .description('serve models over HTTP: image classification and the Open Inference Protocol v2')
      .argument('<model...>', `${predictingArgument}; NAME=MODEL serves it under that name`)
      .option('--port <port>', 'port to listen on; 0 picks a free one', port, 8000)
      .option('--host <address>', 'address to listen on; 0.0.0.0 for all interfaces', '127.0.0.1')
      .option('--token <token>', 'require this bearer token')
      .option('--token-file <file>', 'read the token from a file, hidden from the process list')
      .addOption(
        new Option(
          '--cors <origin...>',
          "origins whose pages may use the server, as https://app.example; '*' for all",
        ).argParser(origins),
      )
      .option(
        '--allow-host <name...>',
        'further host names that requests may carry, such as those of a proxy',
      ),
  );
  addCropOptions(addOnnxOptions(command), "torchvision's")
    .optionsGroup('Batches and queue:')
    .option('--batch <n>', 'maximum batch size (default: measured at start)', wholeNumber('--batch'))
    .addOption(
      timeOption('--wait', 'how long an image waits for others to fill a batch', defaultSettings.waitMs),
    )
    .option(
      '--queue <n>',
      'maximum images waiting per model (default: one batch, at least 4)',
      wholeNumber('--queue'),
    )
    .addOption(
      timeOption('--deadline', 'maximum time a request waits in the queue', defaultSettings.deadlineMs),
    )
    .optionsGroup('Limits:')
    .option('--images <n>', 'maximum images per request', wholeNumber('--images'), defaultSettings.images)
    .addOption(
      new Option('--body-limit <size>', 'maximum size of a request')
        .argParser(size('--body-limit'))
        .default(defaultSettings.bodyBytes, `${defaultSettings.bodyBytes / sizes.mb}mb`),
    )
    .option(
      '--decoders <n>',
      'number of image decoding processes',
      wholeNumber('--decoders'),
      defaultSettings.decoders,
    )
    .addOption(timeOption('--drain', 'maximum time to finish open requests on shutdown', 30_000))
    .addOption(
      timeOption('--grace', 'time after SIGTERM in which new requests still get an answer, 503', 2000),
    )
    .optionsGroup('Output:')
    .option('--log <level>', `log level: ${levels.join(', ')}`, oneOf('--log', levels), 'info')
    .addHelpText(
      'after',
      `
The log is written to standard error as JSON lines. GET /docs documents the API. SIGTERM and Ctrl-C finish open requests
first; a second signal stops at once.

Examples:
  inception serve runs/photos
  inception serve resnet50.onnx --model-labels imagenet.txt --preprocessing imagenet
  inception serve cats=runs/cats hub:timm/inception_v4.tf_in1k --port 9000
  curl --data-binary @cat.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8000/classify`,
    )
    .action(async (models: readonly string[], values: Values) => {
      process.exitCode = await run(models, values);
    });
}

async function run(args: readonly string[], values: Values): Promise<number> {
  const requested = args.map((argument) => namedModel(argument));
  const settings = settingsOf(values);
  const notices = noticesTo(process.stderr);
  const paths = requested.map(({ path }) => path);
  const overrides = await readOnnxOptions(values, { paths, crop: true });
  const loaded = await openServedModels(requested, {
    ...runtimeOptions(values),
    ...notices,
    batch: values.batch,
    overridesOf: (path) => (isOverridden(path, paths) ? overrides : undefined),
  });
  notices.end();
  try {
    // Only this command needs fastify, which takes 150 ms to load.
    const { startServer } = await import('../../server/start-server.ts');
    const server = await startServer(loaded.models, {
      host: values.host,
      port: values.port,
      settings,
      version: packageVersion,
      log: values.log === 'silent' ? undefined : { level: values.log, stream: process.stderr },
    });
    const { address, log } = server;
    if (!isLoopback(values.host) && settings.token === undefined)
      log.warn(
        'no token is set: anyone who can reach this address can send requests; --token-file requires a token',
      );
    const served = loaded.models.map(({ name, source, platform, runtime, batch }) => ({
      name,
      source,
      platform,
      runtime,
      batch,
    }));
    // Listening begins before 'ready' is said: who reads that line may signal at once.
    const signalled = firstSignal((signal) => log.info({ signal }, 'draining; signal again to stop at once'));
    log.info({ address, models: served, docs: `${address}/docs` }, 'ready');
    const code = await signalled;
    // Whoever presses Ctrl-C has no load balancer to wait for.
    const graceMs = code === exitCodes.SIGTERM ? values.grace : 0;
    const answered = await server.drain({ timeoutMs: values.drain, graceMs });
    if (answered) log.info('all open requests were answered');
    else log.warn('some requests were still open and were aborted');
    return code;
  } finally {
    await loaded.close();
  }
}

const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

/** Waits for SIGINT or SIGTERM and returns the exit code. A second signal ends the process at once. */
function firstSignal(onSignal: (signal: string) => void): Promise<number> {
  return new Promise((resolve) => {
    let stopping = false;
    const listen = (signal: NodeJS.Signals, code: number) =>
      process.on(signal, () => {
        if (stopping) process.exit(code);
        stopping = true;
        onSignal(signal);
        resolve(code);
      });
    listen('SIGINT', exitCodes.SIGINT);
    listen('SIGTERM', exitCodes.SIGTERM);
  });
}

function settingsOf(values: Values): Partial<ServerSettings> {
  if (values.token !== undefined && values.tokenFile !== undefined)
    throw new UsageError('--token and --token-file: expected only one, received both');
  const token = values.tokenFile !== undefined ? readFileSync(values.tokenFile, 'utf8').trim() : values.token;
  if (token !== undefined && !/^\S+$/.test(token))
    throw new UsageError(
      '--token: expected a token without spaces, received an empty one or one with spaces',
    );
  return {
    waitMs: values.wait,
    ...(values.queue !== undefined && { queue: values.queue }),
    deadlineMs: values.deadline,
    decoders: values.decoders,
    images: values.images,
    bodyBytes: values.bodyLimit,
    receivingBytes: Math.max(values.bodyLimit, defaultSettings.receivingBytes),
    ...(token !== undefined && { token }),
    ...(values.cors && { cors: values.cors }),
    ...(values.allowHost && { allowHosts: allowedHosts(values, token) }),
  };
}

/** @throws UsageError where every host is allowed anyway. */
function allowedHosts({ host, allowHost = [] }: Values, token: string | undefined): readonly string[] {
  if (token === undefined && isLoopback(host)) return allowHost;
  const why =
    token === undefined ? `the server listens on ${host}, for other machines too` : 'the server has a token';
  throw new UsageError(`--allow-host has no effect: ${why}, so every host name is allowed`);
}
