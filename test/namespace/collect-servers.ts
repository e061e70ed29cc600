/* Answers for collect-probes.test.ts inside its namespace: TCP 8080, UDP 9000 (echo), DNS on UDP and TCP 53. Says `ready`. */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { decode, encode, type Packet } from 'dns-packet';

function answer(query: Buffer): Buffer {
  const { id, questions } = decode(query);
  const { name = '', type } = questions?.[0] ?? {};
  const known = name === 'api.shop.svc.cluster.local';
  return encode({
    type: 'response',
    id: id!,
    flags: known ? 0 : 3,
    questions: questions!,
    answers: known && type === 'A' ? [{ type: 'A', name, ttl: 5, data: '10.96.0.20' }] : [],
  } as Packet);
}

function listenUdp(port: number, reply: (message: Buffer) => Buffer): Promise<void> {
  const socket = createSocket('udp4');
  socket.on('message', (message, { port: to, address }) => socket.send(reply(message), to, address));
  return new Promise((resolve) => socket.bind(port, resolve));
}

function listenTcp(port: number, onData: (bytes: Buffer) => Buffer | undefined): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const reply = onData(bytes);
      if (reply) socket.write(reply);
    });
  });
  return new Promise((resolve) => server.listen(port, resolve));
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

await listenTcp(8080, () => undefined);
await listenUdp(9000, (message) => message);
await listenUdp(53, answer);
await listenTcp(53, (bytes) => framed(answer(bytes.subarray(2))));
process.stdout.write('ready\n');
