/**
 * Protocol counters of one network namespace: /proc/net/snmp, /proc/net/netstat, /proc/net/snmp6
 * (Documentation/networking/snmp_counter.rst). Names are the group and the field, as nstat(8) prints: `IpInAddrErrors`, `TcpExtListenDrops`.
 */
export type Counters = Readonly<Record<string, number>>;
