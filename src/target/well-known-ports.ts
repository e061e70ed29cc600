/** Ports by the name that IANA and /etc/services give them, for addresses and names outside the cluster. */
export const WELL_KNOWN_PORTS: Readonly<Record<string, number>> = {
  ssh: 22,
  smtp: 25,
  domain: 53,
  dns: 53,
  http: 80,
  kerberos: 88,
  ntp: 123,
  ldap: 389,
  https: 443,
  ldaps: 636,
  mysql: 3306,
  postgresql: 5432,
  postgres: 5432,
  amqp: 5672,
  redis: 6379,
  mongodb: 27017,
};
