/** Machine code of `exit(0)`. */
const EXIT: Readonly<Record<string, { readonly machine: number; readonly code: readonly number[] }>> = {
  // xor edi, edi; mov eax, 60; syscall
  x64: { machine: 62, code: [0x31, 0xff, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05] },
  // mov x0, #0; mov x8, #93; svc #0
  arm64: { machine: 183, code: [0x00, 0x00, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4] },
};

const HEADER = 64;
const SEGMENT = 56;
const BASE = 0x400000n;

/**
 * A static ELF program that exits with 0 and needs nothing: what a runtime is tried with before there is any image.
 * Undefined for architectures whose code is not known here.
 */
export function smallestProgram(architecture: string = process.arch): Buffer | undefined {
  const exit = EXIT[architecture];
  if (exit === undefined) return undefined;
  const size = HEADER + SEGMENT + exit.code.length;
  const file = Buffer.alloc(size);
  // 64-bit, little-endian, current version, System V.
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(exit.machine, 18);
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
  file.set(exit.code, HEADER + SEGMENT);
  return file;
}
