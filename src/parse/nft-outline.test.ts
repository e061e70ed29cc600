import { describe, expect, it } from 'vitest';
import { parseNftOutline } from './nft-outline.ts';
import { expectEveryTruncationParses, expectFuzzParses } from './testing/parser-properties.ts';

/** `nft -t list table netdev f` of nft 1.0.6. */
const NETDEV = `table netdev f {
	set s {
		type ipv4_addr
	}

	chain c {
		type filter hook egress device "eth0" priority filter; policy accept;
		ip daddr @s counter packets 0 bytes 0 drop
	}

	chain d {
		type filter hook ingress devices = { eth0, "eth1" } priority filter + 5; policy drop;
	}

	chain plain {
		ip saddr 10.0.0.1 accept
	}
}
`;
const DORMANT =
  'table ip filter {\n\tflags dormant\n\n\tchain FORWARD {\n\t\ttype filter hook forward priority filter; policy accept;\n\t}\n}\n';

describe('parseNftOutline', () => {
  it('tells the devices of chains at a device', () => {
    expect(parseNftOutline(NETDEV)).toEqual({
      value: {
        flags: [],
        chains: [
          { name: 'c', devices: ['eth0'] },
          { name: 'd', devices: ['eth0', 'eth1'] },
        ],
      },
      unparsed: [],
    });
  });

  it("tells the table's flags", () => {
    expect(parseNftOutline(DORMANT)).toEqual({ value: { flags: ['dormant'], chains: [] }, unparsed: [] });
    expect(parseNftOutline(DORMANT.replace('dormant', 'owner,persist')).value.flags).toEqual(['owner', 'persist']);
  });

  it('says where the listing was cut short or is none', () => {
    expect(parseNftOutline(NETDEV.slice(0, 200)).unparsed).toHaveLength(1);
    expect(parseNftOutline('').unparsed).toHaveLength(1);
  });

  it('never throws', () => {
    expectEveryTruncationParses(NETDEV, parseNftOutline);
    expectFuzzParses([NETDEV, DORMANT], parseNftOutline);
  });
});
