import { Unsupported } from "@boxship/base";
import { SyscallError } from "./errno.ts";
import { type Watch, watchDescriptor } from "./event-loop.ts";
import { Fd, keepForever } from "./fd.ts";
import { addressOf, check, libc, type Pointer } from "./ffi.ts";
import { read, writeAll } from "./file-data.ts";
import { memfdCreate } from "./open.ts";
import { type SyscallName, syscallNumber } from "./syscall-numbers.ts";

/**
 * One system call on a native thread of its own, for calls that may wait and that Node's thread pool does not offer:
 * taking a mount away waits for the kernel's other processors (0.1 ms at rest, 30 to 100 ms were seen on a loaded machine)
 * and for dirty data.
 *
 * A thread without JavaScript costs some 50 µs and next to no memory, a worker 9 MB. What runs on it cannot be a libc
 * function, because errno would stay behind in that thread; so it is the few instructions below, which make the call and
 * then write to an eventfd of the event loop.
 */

// struct call: number, six arguments, result, eventfd, the 8 bytes to write to it, number of write(2).
const ARGUMENTS = 8;
const RESULT = 56;
const EVENT = 64;
const ONE = 72;
const WRITE = 80;
const CALL_SIZE = 88;

/** Not a value that any system call returns. */
const RUNNING = -(2n ** 63n);

const INSTRUCTIONS: Readonly<Record<string, Buffer>> = {
  x64: Buffer.from(
    [
      "53", //             push rbx
      "4889fb", //         mov  rbx, rdi        the structure
      "488b03", //         mov  rax, [rbx]      number
      "488b7b08", //       mov  rdi, [rbx+8]    arguments
      "488b7310", //       mov  rsi, [rbx+16]
      "488b5318", //       mov  rdx, [rbx+24]
      "4c8b5320", //       mov  r10, [rbx+32]
      "4c8b4328", //       mov  r8, [rbx+40]
      "4c8b4b30", //       mov  r9, [rbx+48]
      "0f05", //           syscall
      "48894338", //       mov  [rbx+56], rax   result
      "488b4350", //       mov  rax, [rbx+80]   write
      "488b7b40", //       mov  rdi, [rbx+64]   eventfd
      "488d7348", //       lea  rsi, [rbx+72]   the bytes
      "ba08000000", //     mov  edx, 8
      "0f05", //           syscall
      "31c0", //           xor  eax, eax
      "5b", //             pop  rbx
      "c3", //             ret
    ].join(""),
    "hex",
  ),
  arm64: words([
    0xaa0003e9, // mov x9, x0          the structure
    0xf9400128, // ldr x8, [x9]        number
    0xf9400520, // ldr x0, [x9, #8]    arguments
    0xf9400921, // ldr x1, [x9, #16]
    0xf9400d22, // ldr x2, [x9, #24]
    0xf9401123, // ldr x3, [x9, #32]
    0xf9401524, // ldr x4, [x9, #40]
    0xf9401925, // ldr x5, [x9, #48]
    0xd4000001, // svc #0
    0xf9001d20, // str x0, [x9, #56]   result
    0xf9402928, // ldr x8, [x9, #80]   write
    0xf9402120, // ldr x0, [x9, #64]   eventfd
    0x91012121, // add x1, x9, #72     the bytes
    0xd2800102, // mov x2, #8
    0xd4000001, // svc #0
    0xd2800000, // mov x0, #0
    0xd65f03c0, // ret
  ]),
};

function words(instructions: readonly number[]): Buffer {
  const bytes = Buffer.alloc(instructions.length * 4);
  instructions.forEach((instruction, index) => bytes.writeUInt32LE(instruction, index * 4));
  return bytes;
}

const mmapCall = libc.bind<bigint>("mmap", ["i64", "u64", "u64", "i32", "i32", "i32", "i64"]);
const eventfdCall = libc.bind<number>("eventfd", ["i32", "u32", "i32"]);
const attributesInit = libc.bind<number>("pthread_attr_init", ["i32", "pointer"]);
const attributesSetDetached = libc.bind<number>("pthread_attr_setdetachstate", ["i32", "pointer", "i32"]);
const attributesSetStack = libc.bind<number>("pthread_attr_setstacksize", ["i32", "pointer", "u64"]);
const threadCreate = libc.bind<number>("pthread_create", ["i32", "pointer", "pointer", "pointer", "pointer"]);

const PROT_READ_EXEC = 5;
const MAP_PRIVATE = 2;
const PAGE = 4096n;
const NONBLOCK_CLOEXEC = 0o2004000;
const PTHREAD_CREATE_DETACHED = 1;
const STACK_SIZE = 131_072n;
const ATTRIBUTES_SIZE = 128;

interface Pending {
  readonly call: Buffer;
  /** Everything that the call points to. */
  readonly kept: unknown;
  readonly done: (result: bigint) => void;
}

class Threads {
  readonly #code: Pointer;
  readonly #attributes = Buffer.alloc(ATTRIBUTES_SIZE);
  readonly #event: Fd;
  readonly #watch: Watch;
  readonly #pending = new Set<Pending>();

  constructor(instructions: Buffer) {
    this.#code = mapInstructions(instructions);
    returned(attributesInit(this.#attributes), "pthread_attr_init");
    returned(attributesSetDetached(this.#attributes, PTHREAD_CREATE_DETACHED), "pthread_attr_setdetachstate");
    returned(attributesSetStack(this.#attributes, STACK_SIZE), "pthread_attr_setstacksize");
    this.#event = new Fd(check(eventfdCall(0, NONBLOCK_CLOEXEC), "eventfd"));
    keepForever(this.#event.number);
    const counter = Buffer.alloc(8);
    this.#watch = watchDescriptor(this.#event, { readable: true }, () => {
      read(this.#event, counter);
      this.#collect();
    });
    this.#watch.unref();
  }

  run(number: number, values: readonly bigint[], kept: unknown): Promise<bigint> {
    const call = Buffer.alloc(CALL_SIZE);
    call.writeBigUInt64LE(BigInt(number), 0);
    values.forEach((value, index) => call.writeBigUInt64LE(BigInt.asUintN(64, value), ARGUMENTS + index * 8));
    call.writeBigInt64LE(RUNNING, RESULT);
    call.writeBigUInt64LE(BigInt(this.#event.number), EVENT);
    call.writeBigUInt64LE(1n, ONE);
    call.writeBigUInt64LE(BigInt(syscallNumber("write") ?? 0), WRITE);
    return new Promise((resolve) => {
      const pending: Pending = { call, kept, done: resolve };
      this.#pending.add(pending);
      this.#watch.ref();
      try {
        returned(threadCreate(Buffer.alloc(8), this.#attributes, this.#code, addressOf(call)), "pthread_create");
      } catch (error) {
        this.#forget(pending);
        throw error;
      }
    });
  }

  #collect(): void {
    for (const pending of this.#pending) {
      const result = pending.call.readBigInt64LE(RESULT);
      if (result === RUNNING) continue;
      this.#forget(pending);
      pending.done(result);
    }
  }

  #forget(pending: Pending): void {
    this.#pending.delete(pending);
    if (this.#pending.size === 0) this.#watch.unref();
  }
}

/** From a file in memory: never writable and executable at once, and the kernel keeps the instruction cache right. */
function mapInstructions(instructions: Buffer): Pointer {
  using file = memfdCreate("boxship-syscall");
  writeAll(file, instructions);
  const address = mmapCall(0n, PAGE, PROT_READ_EXEC, MAP_PRIVATE, file.number, 0n);
  check(address === -1n ? -1 : 0, "mmap");
  return BigInt.asUintN(64, address);
}

/** The pthread functions return the error instead of setting errno. */
function returned(errno: number, name: string): void {
  if (errno !== 0) throw new SyscallError(errno, name);
}

let threads: Threads | undefined;

/**
 * Makes a system call by number on a thread of its own and resolves to its result, or rejects with a SyscallError. The
 * thread has our namespaces and working directory of the moment. Main thread only.
 *
 * The process stays alive until the call has returned; `process.exit()` does not wait for it.
 */
export async function syscallInBackground(
  name: SyscallName,
  arguments_: readonly (number | bigint | Uint8Array)[],
  detail?: string,
): Promise<number> {
  const instructions = INSTRUCTIONS[process.arch];
  const number = syscallNumber(name);
  if (instructions === undefined || number === undefined) {
    throw new Unsupported(`system calls are not known for the architecture ${process.arch}`);
  }
  threads ??= new Threads(instructions);
  const values = arguments_.map((value) => (typeof value === "object" ? addressOf(value) : BigInt(value)));
  const result = await threads.run(number, values, arguments_);
  if (result < 0n) throw new SyscallError(Number(-result), name, detail);
  return Number(result);
}
