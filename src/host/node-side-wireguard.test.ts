import { expect, test } from 'vitest';
import type { Answer } from './node-side.ts';
import { askWireguard } from './node-side-wireguard.ts';

const DUMP =
  'wg0\tyAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\tHIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=\t51820\toff\n';

const raw = (text: string): Answer => {
  return { got: 'raw', raw: new TextEncoder().encode(text), exitCode: 0, truncated: false, tool: 'wireguard-tools' };
};

test('the private key stays on the node', async () => {
  const answer = await askWireguard(async (argv) => {
    expect(argv).toEqual(['wg', 'show', 'all', 'dump']);
    return raw(DUMP);
  });
  const text = answer.got === 'raw' ? new TextDecoder().decode(answer.raw) : '';
  expect(text).not.toContain('yAnz5TF');
  expect(text).toContain('HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=');
});

test('where there is no wg, that is the answer', async () => {
  const nothing: Answer = { got: 'nothing', gap: 'not-installed', detail: 'wg: not found' };
  expect(await askWireguard(async () => nothing)).toEqual(nothing);
});
