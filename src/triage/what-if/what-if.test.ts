import { describe, expect, test } from 'vitest';
import { isTargetProblem } from '../../target/question.ts';
import { parseRuleQuery } from './rule-query.ts';
import { parseWhatIf } from './what-if.ts';

describe('parseWhatIf', () => {
  test.each([
    ['rule KUBE-FORWARD 3 filter', 'rule', 'KUBE-FORWARD 3 filter', undefined],
    ['sysctl net.ipv4.ip_forward=1 @w1', 'sysctl', 'net.ipv4.ip_forward=1', 'w1'],
    ['sysctl -w net.ipv4.ip_forward=1', 'sysctl', 'net.ipv4.ip_forward=1', undefined],
    ['route add 10.0.0.0/8 via 10.0.0.1 @pod/shop/web-7', 'route', 'add 10.0.0.0/8 via 10.0.0.1', 'pod/shop/web-7'],
    ['ip route add 10.0.0.0/8 dev eth0', 'route', 'add 10.0.0.0/8 dev eth0', undefined],
    ['bridge fdb append 02:00:00:00:00:01 dev vxlan0', 'fdb', 'append 02:00:00:00:00:01 dev vxlan0', undefined],
    ['ip addr add 10.0.0.1/24 dev eth0', 'address', 'add 10.0.0.1/24 dev eth0', undefined],
    ['iptables -I FORWARD -j ACCEPT', 'rule', '-I FORWARD -j ACCEPT', undefined],
    ['rule user@example', 'rule', 'user@example', undefined],
  ])('%s', (text, kind, words, at) => {
    expect(parseWhatIf('with', text)).toEqual({ sign: 'with', kind, words, asked: text, ...(at && { at }) });
  });

  test.each([
    ['rout add', /begins with none of rule, policy, .*/, ['route']],
    ['rule', /does not say which rule/, []],
    ['rule @w1', /does not say which rule/, []],
    ['', /begins with none of/, []],
  ])('is refused: %j', (text, problem, near) => {
    const parsed = parseWhatIf('without', text);
    expect(isTargetProblem(parsed)).toBe(true);
    expect(parsed).toMatchObject({ kind: 'usage', problem: expect.stringMatching(problem), near });
  });
});

describe('parseRuleQuery', () => {
  const number = (chain: string, value: number, ...words: string[]) => ({ by: 'number', chain, number: value, words });
  test.each([
    ['KUBE-FORWARD 3 filter', number('KUBE-FORWARD', 3, 'filter')],
    ['filter KUBE-FORWARD 3', number('KUBE-FORWARD', 3, 'filter')],
    ['filter FORWARD #3', number('FORWARD', 3, 'filter')],
    ['forward filter FORWARD#3', number('FORWARD', 3, 'forward', 'filter')],
    ['iptables-nft/filter/FORWARD#3', number('iptables-nft/filter/FORWARD', 3)],
    [
      'nft ip kube-proxy service-Z55-demo/web/tcp/http#2',
      number('service-Z55-demo/web/tcp/http', 2, 'nft', 'ip', 'kube-proxy'),
    ],
    ['nft inet fw input#2', number('input', 2, 'nft', 'inet', 'fw')],
    ['nft inet fw input handle 12', { by: 'handle', handle: 12, words: ['nft', 'inet', 'fw', 'input'] }],
    ['-A FORWARD  -j DROP', { by: 'text', text: '-A FORWARD -j DROP', words: [] }],
    ['[3:180] -A FORWARD -j DROP', { by: 'text', text: '-A FORWARD -j DROP', words: [] }],
    ['-t nat -A POSTROUTING -j MASQUERADE', { by: 'text', text: '-A POSTROUTING -j MASQUERADE', words: ['nat'] }],
    ['flanneld forward', { by: 'text', text: 'flanneld forward', words: [] }],
  ])('%s', (text, query) => expect(parseRuleQuery(text)).toEqual(query));
});
