import { describe, expect, test } from 'vitest';
import { parseBridgeFdb, parseBridgeFdbLine } from './bridge-fdb.ts';
import {
  expectEveryTruncationParses,
  expectFuzzParses,
  expectWrongTypesParse,
  fixture,
} from './testing/parser-properties.ts';

const MIXED = fixture('bridge-fdb-6.1-mixed.json');
const TEXT = fixture('bridge-fdb-6.1-mixed.txt');

describe('parseBridgeFdb', () => {
  test('a VXLAN entry with its VTEP, port, VNI and lower device', () => {
    const entries = parseBridgeFdb(MIXED).value.filter((entry) => entry.device === 'flannel.1');
    expect(entries).toEqual([
      {
        mac: '00:00:00:00:00:00',
        device: 'flannel.1',
        remote: '10.1.0.3',
        port: 4789,
        vni: 9,
        via: 'v1',
        flags: ['self'],
        state: 'permanent',
        text: '00:00:00:00:00:00 dev flannel.1 dst 10.1.0.3 port 4789 vni 9 via v1 self permanent',
      },
      {
        mac: '02:00:00:00:02:00',
        device: 'flannel.1',
        remote: '10.1.0.2',
        flags: ['self'],
        state: 'permanent',
        text: '02:00:00:00:02:00 dev flannel.1 dst 10.1.0.2 self permanent',
      },
    ]);
  });

  test('a learnt bridge entry has a master and no state', () => {
    const learnt = parseBridgeFdb(MIXED).value.find((entry) => entry.mac === 'aa:96:51:2c:9a:e4');
    expect(learnt).toMatchObject({ device: 'v0', master: 'br0', flags: [] });
    expect(learnt?.state).toBeUndefined();
  });

  test('text and JSON give the same entries', () => {
    const json = parseBridgeFdb(MIXED);
    expect(json.unparsed).toEqual([]);
    expect(parseBridgeFdb(TEXT)).toEqual(json);
  });

  test('iproute2 5.x: a lower device that it could not name, a VLAN', () => {
    const parsed = parseBridgeFdb(
      '[{"mac":"02:00:00:00:00:01","ifname":"vx","dst":"fd00::2","viaIfIndex":4,"linkNetNsId":0,"flags":["self"],"state":"static"},' +
        '{"mac":"02:00:00:00:00:02","ifname":"p1","vlan":7,"flags":["extern_learn"],"master":"br0","state":""}]',
    );
    expect(parsed.value[0]).toMatchObject({ remote: 'fd00::2', via: 'if4' });
    expect(parsed.value[1]).toMatchObject({ vlan: 7, flags: ['extern_learn'] });
  });

  test('a MAC or VTEP that is none is unparsed', () => {
    const text =
      '[{"mac":"zz","ifname":"a"},{"mac":"02:00:00:00:00:01","ifname":"a","dst":"x"},{"mac":"02:00:00:00:00:01"}]';
    expect(parseBridgeFdb(text)).toMatchObject({ value: [], unparsed: [{}, {}, {}] });
    expect(parseBridgeFdbLine('02:00:00:00:02:00 dev')).toBeUndefined();
    expect(parseBridgeFdbLine('02:00:00:00:02:00 dev a dst nowhere')).toBeUndefined();
    expect(parseBridgeFdbLine('02:00:00:00:02:00 dst 10.0.0.1')).toBeUndefined();
  });

  test('never throws', () => {
    expectEveryTruncationParses(MIXED, parseBridgeFdb);
    expectEveryTruncationParses(TEXT, parseBridgeFdb);
    expectFuzzParses([MIXED, TEXT], parseBridgeFdb);
    expectWrongTypesParse(MIXED, parseBridgeFdb);
  });
});
