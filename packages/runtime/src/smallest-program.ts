interface Program {
  /** `e_machine` of ELF. */
  readonly machine: number;
  readonly code: readonly number[];
}

/** Machine code of `exit(0)`. */
const EXIT: Readonly<Record<string, Program>> = {
  // xor edi, edi; mov eax, 60; syscall
  x64: { machine: 62, code: [0x31, 0xff, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05] },
  // mov x0, #0; mov x8, #93; svc #0
  arm64: { machine: 183, code: [0x00, 0x00, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4] },
};

/** `{ SIG_IGN, SA_NOCLDWAIT, no restorer, no mask }` */
const IGNORED = [1, 2, 0, 0].flatMap((word) => [word, 0, 0, 0, 0, 0, 0, 0]);

/** Machine code of `rt_sigaction(SIGCHLD, IGNORED); for (;;) pause()`. */
const HOLD: Readonly<Record<string, Program>> = {
  x64: {
    machine: 62,
    code: [
      // mov edi, 17; lea rsi, [rip + 24]; xor edx, edx; mov r10d, 8; mov eax, 13; syscall
      ...[0xbf, 17, 0, 0, 0, 0x48, 0x8d, 0x35, 24, 0, 0, 0, 0x31, 0xd2, 0x41, 0xba, 8, 0, 0, 0],
      ...[0xb8, 13, 0, 0, 0, 0x0f, 0x05],
      // mov eax, 34; syscall; jmp -9
      ...[0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7],
      ...IGNORED,
    ],
  },
  arm64: {
    machine: 183,
    code: [
      // mov x0, #17; adr x1, #52; mov x2, #0; mov x3, #8; mov x8, #134; svc #0
      ...[0xd2800220, 0x100001a1, 0xd2800002, 0xd2800103, 0xd28010c8, 0xd4000001],
      // mov x0…x3, #0; mov x8, #73 (ppoll); svc #0; b -24
      ...[0xd2800000, 0xd2800001, 0xd2800002, 0xd2800003, 0xd2800928, 0xd4000001, 0x17fffffa, 0],
    ]
      .flatMap((word) => [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24])
      .concat(IGNORED),
  },
};

const HEADER = 64;
const SEGMENT = 56;
const BASE = 0x400000n;

/**
 * A static ELF program that exits with 0 and needs nothing: what a runtime is tried with before there is any image.
 * Undefined for architectures whose code is not known here.
 */
export function smallestProgram(architecture: string = process.arch): Buffer | undefined {
  return elf(EXIT[architecture]);
}

/**
 * A static ELF program that does nothing for ever: the first process of a process namespace, which lives as long as this one.
 * Processes that lose their parent in there become its children, and leave nothing behind when they end.
 */
export function holdingProgram(architecture: string = process.arch): Buffer | undefined {
  return elf(HOLD[architecture]);
}

function elf(program: Program | undefined): Buffer | undefined {
  if (program === undefined) return undefined;
  const { machine, code } = program;
  const size = HEADER + SEGMENT + code.length;
  const file = Buffer.alloc(size);
  // 64-bit, little-endian, current version, System V.
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(machine, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BASE + BigInt(HEADER + SEGMENT), 24);
  file.writeBigUInt64LE(BigInt(HEADER), 32);
  file.writeUInt16LE(HEADER, 52);
  file.writeUInt16LE(SEGMENT, 54);
  file.writeUInt16LE(1, 56);
  // One segment, readable and executable: the whole file.
  file.writeUInt32LE(1, HEADER);
  file.writeUInt32LE(5, HEADER + 4);
  for (const [offset, value] of [
    [16, BASE],
    [24, BASE],
    [32, BigInt(size)],
    [40, BigInt(size)],
    [48, 0x1000n],
  ] as const) {
    file.writeBigUInt64LE(value, HEADER + offset);
  }
  file.set(code, HEADER + SEGMENT);
  return file;
}
