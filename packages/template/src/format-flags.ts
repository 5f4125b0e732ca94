/** Flags, width and precision of one verb of a format string. */
export interface Flags {
  plus: boolean;
  minus: boolean;
  sharp: boolean;
  space: boolean;
  zero: boolean;
  /** `%+v`: struct fields carry their names. */
  plusV: boolean;
  /** `%#v`: Go syntax. */
  sharpV: boolean;
  width: number | undefined;
  precision: number | undefined;
}

export function noFlags(): Flags {
  return {
    plus: false,
    minus: false,
    sharp: false,
    space: false,
    zero: false,
    plusV: false,
    sharpV: false,
    width: undefined,
    precision: undefined,
  };
}

function runes(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** Pads to the width, counting characters: left or right, with zeroes or spaces. */
export function pad(text: string, flags: Flags): string {
  const missing = (flags.width ?? 0) - runes(text);
  if (missing <= 0) return text;
  if (flags.minus) return text + " ".repeat(missing);
  return (flags.zero ? "0" : " ").repeat(missing) + text;
}

/** The first `precision` characters. */
export function truncate(text: string, flags: Flags): string {
  return flags.precision === undefined ? text : Array.from(text).slice(0, flags.precision).join("");
}
