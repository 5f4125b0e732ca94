import { FlagError } from "../failure.ts";

const UNITS: Readonly<Record<string, number>> = {
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
  p: 1024 ** 5,
};

/**
 * A size in bytes as the container world writes it: a number, maybe with a fraction, and a unit of 1024s in either
 * case: `512m`, `1.5GB`, `4 KiB`, `100b`.
 *
 * @throws FlagError with the text that users know
 */
export function parseBytes(text: string): number {
  const at = Math.max(...Array.from("0123456789. ", (character) => text.lastIndexOf(character)));
  if (at < 0) throw new FlagError(`invalid size: '${text}'`);
  const digits = text.slice(0, text[at] === " " ? at : at + 1);
  const suffix = text.slice(at + 1);
  const size = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(digits) ? Number(digits) : Number.NaN;
  if (Number.isNaN(size)) {
    throw new FlagError(`strconv.ParseFloat: parsing ${JSON.stringify(digits)}: invalid syntax`);
  }
  if (size < 0) throw new FlagError(`invalid size: '${text}'`);
  const unit = suffix.toLowerCase();
  if (unit === "" || unit === "b") return Math.trunc(size);
  const factor = UNITS[unit.charAt(0)];
  if (factor === undefined || !/^.(b|ib)?$/.test(unit)) throw new FlagError(`invalid suffix: '${unit}'`);
  return Math.trunc(size * factor);
}
