import { type FileHandle, open } from "node:fs/promises";
import { crc32 } from "node:zlib";
import type { LogPosition } from "../read-log.ts";
import type { SavedLines } from "./assemble-lines.ts";

/** How far a log has been sent. */
export interface ShippedPosition extends LogPosition {
  /** Of lines that were read and not sent, because their ends had not been written. */
  readonly lines: SavedLines;
}

const SLOT = 64 * 1024;
const HEADER = 20;
const MAGIC = 0x3153_4c42;

/**
 * Keeps a {@link ShippedPosition}. Two slots are written in turns, each with a check sum, so that one is always whole: it
 * costs one write, which survives the end of the process; after a power cut it may be an older one.
 */
export class PositionFile implements AsyncDisposable {
  readonly #file: FileHandle;
  #sequence: number;
  readonly position: ShippedPosition | undefined;

  private constructor(file: FileHandle, sequence: number, position: ShippedPosition | undefined) {
    this.#file = file;
    this.#sequence = sequence;
    this.position = position;
  }

  static async open(path: string): Promise<PositionFile> {
    const file = await open(path, "a").then(async (created) => {
      await created.close();
      return open(path, "r+");
    });
    const slots = await Promise.all([0, 1].map((slot) => readSlot(file, slot)));
    const [newest] = slots.filter((slot) => slot !== undefined).sort((a, b) => b.sequence - a.sequence);
    return new PositionFile(file, newest?.sequence ?? 0, newest?.position);
  }

  async save(position: ShippedPosition): Promise<void> {
    const text = Buffer.from(JSON.stringify(position));
    const sequence = this.#sequence + 1;
    const slot = Buffer.alloc(HEADER + text.length);
    slot.writeUInt32LE(MAGIC, 0);
    slot.writeUInt32LE(text.length, 4);
    slot.writeDoubleLE(sequence, 8);
    slot.writeUInt32LE(crc32(text), 16);
    text.copy(slot, HEADER);
    await this.#file.write(slot, 0, slot.length, (sequence % 2) * SLOT);
    this.#sequence = sequence;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#file.close();
  }
}

async function readSlot(
  file: FileHandle,
  slot: number,
): Promise<{ readonly sequence: number; readonly position: ShippedPosition } | undefined> {
  const { bytesRead, buffer } = await file.read({ buffer: Buffer.alloc(SLOT), position: slot * SLOT });
  if (bytesRead < HEADER || buffer.readUInt32LE(0) !== MAGIC) return undefined;
  const text = buffer.subarray(HEADER, HEADER + buffer.readUInt32LE(4));
  if (crc32(text) !== buffer.readUInt32LE(16)) return undefined;
  return { sequence: buffer.readDoubleLE(8), position: JSON.parse(text.toString()) as ShippedPosition };
}
