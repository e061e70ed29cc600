import { arrive } from './arrive.ts';
import { bridge } from './bridge.ts';
import type { Stage, StageFunction } from './cursor.ts';
import { deliver } from './deliver.ts';
import { finish } from './finish.ts';
import { runHook } from './hooks.ts';
import { output, reroute } from './output.ts';
import { routeInput } from './route-input.ts';
import { transmit } from './transmit.ts';
import { encapsulate } from './tunnel.ts';
import { underlay } from './underlay.ts';

/** The kernel's stages, in one table. */
export const STAGES: Readonly<Record<Stage['name'], StageFunction>> = {
  output,
  arrive,
  bridge,
  hook: runHook,
  'route-input': routeInput,
  reroute,
  deliver,
  finish,
  transmit,
  underlay,
  encapsulate,
};
