/** Numeric header fields, ustar section of pax(5): octal text, or GNU's base-256 when the first bit is set. */

const SPACE = 0x20;
const ZERO = 0x30;

/**
 * Reads a numeric field. An empty field is 0.
 *
 * @returns NaN when it is malformed or does not fit a safe integer
 */
export function readNumber(block: Buffer, offset: number, length: number): number {
  const first = block[offset] ?? 0;
  if (first & 0x80) return readBase256(block, offset, length);
  let index = offset;
  const end = offset + length;
  while (index < end && (block[index] === SPACE || block[index] === 0)) index++;
  let value = 0;
  for (; index < end; index++) {
    const digit = (block[index] as number) - ZERO;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  for (; index < end; index++) if (block[index] !== SPACE && block[index] !== 0) return Number.NaN;
  return Number.isSafeInteger(value) ? value : Number.NaN;
}

function readBase256(block: Buffer, offset: number, length: number): number {
  const first = block[offset] as number;
  const negative = (first & 0x40) !== 0;
  // Two's complement over all bits but the marker; a negative number is read as -(~value) - 1.
  const flip = negative ? 0xff : 0;
  let value = (first ^ flip) & 0x3f;
  for (let index = offset + 1; index < offset + length; index++) {
    value = value * 256 + ((block[index] as number) ^ flip);
    if (!Number.isSafeInteger(value)) return Number.NaN;
  }
  return negative ? -value - 1 : value;
}

/** Writes `value` as octal digits and a NUL. @returns false when it does not fit and nothing was written */
export function writeOctal(block: Buffer, offset: number, length: number, value: number): boolean {
  if (value < 0 || !Number.isInteger(value)) return false;
  const digits = value.toString(8);
  if (digits.length > length - 1) return false;
  block.write(digits.padStart(length - 1, "0"), offset, length - 1, "latin1");
  block[offset + length - 1] = 0;
  return true;
}

const CHECKSUM = 148;

/** Whether the stored checksum is that of the header block; old writers summed signed bytes, both are taken. */
export function checksumMatches(block: Buffer, start: number): boolean {
  const stored = readNumber(block, start + CHECKSUM, 8);
  let unsigned = 8 * SPACE;
  let high = 0;
  for (let index = start; index < start + 512; index++) {
    const byte = block[index] as number;
    unsigned += byte;
    high += byte >> 7;
  }
  for (let index = start + CHECKSUM; index < start + CHECKSUM + 8; index++) {
    const byte = block[index] as number;
    unsigned -= byte;
    high -= byte >> 7;
  }
  return stored === unsigned || stored === unsigned - 256 * high;
}

/** Computes and stores the checksum of a finished header block. */
export function writeChecksum(block: Buffer, start = 0): void {
  block.fill(SPACE, start + CHECKSUM, start + CHECKSUM + 8);
  let sum = 0;
  for (let index = start; index < start + 512; index++) sum += block[index] as number;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, start + CHECKSUM, 8, "latin1");
}
