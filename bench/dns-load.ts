import { createSocket } from "node:dgram";

/** As a program: ADDRESS PORT NAME COUNT; asks so often for the name, 64 questions at a time; prints the milliseconds. */
const [address = "", port = "53", name = "", count = "0"] = process.argv.slice(2);
const AT_ONCE = 64;
/** A question that is lost is asked again. */
const PATIENCE_MS = 1000;

function question(): Buffer {
  const labels = name.split(".").flatMap((label) => [Buffer.of(label.length), Buffer.from(label)]);
  const header = Buffer.from([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, 1, 0, 1])]);
}

const total = Number(count);
const message = question();
const socket = createSocket("udp4");
const waiting = new Map<number, NodeJS.Timeout>();
let asked = 0;
let answered = 0;
const began = performance.now();

function ask(id: number): void {
  const own = Buffer.from(message);
  own.writeUInt16BE(id, 0);
  socket.send(own);
}

function next(): void {
  if (asked === total) return;
  const id = asked++ & 0xffff;
  waiting.set(id, setInterval(ask, PATIENCE_MS, id));
  ask(id);
}

socket.on("message", (answer) => {
  const id = answer.readUInt16BE(0);
  const timer = waiting.get(id);
  if (timer === undefined) return;
  clearInterval(timer);
  waiting.delete(id);
  if ((answer[3] ?? 0) % 16 !== 0 || answer.readUInt16BE(6) === 0) throw new Error(`${name} is not found`);
  answered++;
  if (answered === total) {
    process.stdout.write(`${performance.now() - began}\n`);
    socket.close();
  } else next();
});
socket.connect(Number(port), address, () => {
  for (let index = 0; index < AT_ONCE; index++) next();
});
