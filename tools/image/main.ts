import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { appLayer } from './app-layer.ts';
import { baseLayer } from './base-layer.ts';
import type { Layer } from './layer.ts';
import { nodeLayer } from './node-layer.ts';
import { writeOciArchive } from './oci-archive.ts';

const USAGE = `npm run image -- --output FILE.tar [--reference NAME:TAG] [--with-bpftrace]

Writes the image of podtriage's node side as an OCI archive, from Debian's packages and this checkout, without a
registry; its last line of output is the image's reference. Needs apt-get and dpkg-deb (Debian 12 or newer, or Ubuntu).`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      output: { type: 'string' },
      reference: { type: 'string' },
      'with-bpftrace': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(USAGE);
  if (!values.output) return wrongUsage(`--output is missing\n${USAGE}`);
  const repository = fileURLToPath(new URL('../..', import.meta.url));
  const { version } = JSON.parse(await readFile(join(repository, 'package.json'), 'utf8')) as { version: string };
  const reference = values.reference ?? `localhost/podtriage:${version}`;
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'podtriage', 'image');
  const say = (line: string): void => console.error(`image: ${line}`);
  const [base, node, app] = await Promise.all([
    baseLayer({ withBpftrace: values['with-bpftrace'], cache, say }),
    nodeLayer(cache),
    appLayer(repository, cache),
  ]);
  const layers = [base, node, app];
  const digest = await writeOciArchive(values.output, describe(reference, version), layers);
  for (const [index, name] of ['Debian tools', 'Node', 'podtriage'].entries()) say(`${name}: ${sizes(layers[index]!)}`);
  say(
    `${values.output}: ${megabytes(sum(layers, 'sizeBytes'))}, ${megabytes(sum(layers, 'unpackedBytes'))} unpacked, ${digest}`,
  );
  console.log(reference);
}

function describe(reference: string, version: string): Parameters<typeof writeOciArchive>[1] {
  return {
    reference,
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    entrypoint: ['/usr/bin/podtriage-agent'],
    environment: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C'],
    labels: {
      'org.opencontainers.image.title': 'podtriage',
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': 'Apache-2.0',
    },
  };
}

function wrongUsage(message: string): void {
  console.error(message);
  process.exitCode = 2;
}

function sizes(layer: Layer): string {
  return `${megabytes(layer.sizeBytes)}, ${megabytes(layer.unpackedBytes)} unpacked`;
}

function sum(layers: readonly Layer[], key: 'sizeBytes' | 'unpackedBytes'): number {
  return layers.reduce((total, layer) => total + layer[key], 0);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

await main().catch((error: Error) => {
  console.error(`image: ${error.message}`);
  process.exitCode = 1;
});
