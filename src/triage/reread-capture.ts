import { analyseCapture } from '../capture/analyse-capture.ts';
import { readCaptureNote } from '../capture/capture-note.ts';
import { planOfFile } from '../capture/plan-of-file.ts';
import { buildCaptureReport } from '../report/build-capture-report.ts';
import type { CaptureReport } from '../report/capture-report.ts';
import { readCaptureFile } from '../wire/read-capture-file.ts';

/** What a capture file tells: one of `capture -w` as on the day it was made, any other by the order in which its devices saw the packets. */
export function rereadCapture(bytes: Uint8Array, path: string): CaptureReport | { readonly problem: string } {
  const file = readCaptureFile(bytes);
  if ('problem' in file) return file;
  const note = readCaptureNote(file.comment, file.interfaces.length);
  const damage = file.damage === undefined ? [] : [`the file is damaged: ${file.damage}`];
  const plan = note?.plan ?? planOfFile(file);
  const watches =
    note?.watches ??
    file.interfaces.map((_, index) => {
      const frames = file.frames.filter((frame) => frame.interface === index).length;
      return { frames, isWhole: file.damage === undefined };
    });
  const analysis = analyseCapture(file, plan, watches);
  return buildCaptureReport({
    target: {
      source: note?.target.source ?? path,
      destination: note?.target.destination ?? `${file.interfaces.length} interfaces`,
      flow: note?.target.flow ?? `${file.frames.length} frames`,
      notes: damage,
    },
    walk: { statement: 'a file has no rules to walk through', agrees: 'unknown' },
    plan,
    watches,
    analysis,
    created: [],
    durationMs: 0,
  });
}
