/** What sprig takes from its library of words. Positions are those of bytes. */

const SPACE = /[\s\u0085]/;

/** Go changes each character by itself: one that would become several stays. */
// oxlint-disable-next-line no-control-regex -- the characters of ASCII
export const upperText = (value: string): string => value.replace(/[^\x00-\x7f]|[a-z]+/gu, upperPart);

const upperPart = (part: string): string => {
  const upper = part.toUpperCase();
  return /^[a-z]/.test(part) || Array.from(upper).length === 1 ? upper : part;
};

/** Every letter after something that is none in upper case. */
export function title(value: string): string {
  let before = " ";
  let result = "";
  for (const sign of value) {
    result += isSeparator(before) ? upperText(sign) : sign;
    before = sign;
  }
  return result;
}

function isSeparator(sign: string): boolean {
  if (sign <= "\x7f") return !/[0-9A-Za-z_]/.test(sign);
  return !/[\p{L}\p{Nd}]/u.test(sign) && SPACE.test(sign);
}

/** The first letter of each word in lower case. */
export function uncapitalize(value: string): string {
  let first = true;
  let result = "";
  for (const sign of value) {
    if (SPACE.test(sign)) first = true;
    result += first && !SPACE.test(sign) ? sign.toLowerCase() : sign;
    if (!SPACE.test(sign)) first = false;
  }
  return result;
}

export function initials(value: string): string {
  return (
    value
      .split(/[\s\u0085]+/)
      // Sprig takes the first byte, whatever it is a part of.
      .map((word) => String.fromCharCode(...Buffer.from(word).subarray(0, 1)))
      .join("")
  );
}

export function swapCase(value: string): string {
  let result = "";
  for (const sign of value) {
    if (/\p{Lu}|\p{Lt}/u.test(sign)) result += sign.toLowerCase();
    else result += /\p{Ll}/u.test(sign) ? upperText(sign) : sign;
  }
  return result;
}

/** @param offset where the part that is kept begins; what is before it becomes an ellipsis */
export function abbreviate(value: string, offset: number, width: number): string {
  const bytes = Buffer.from(value);
  const part = (from: number, to: number) => bytes.subarray(from, to).toString();
  if (bytes.length <= width) return value;
  const kept = width - 3;
  let start = Math.min(offset, bytes.length);
  if (bytes.length - start < kept) start = bytes.length - kept;
  if (start <= 4) return `${part(0, kept)}...`;
  if (start + kept < bytes.length) return `...${abbreviate(part(start, bytes.length), 0, kept)}`;
  return `...${part(bytes.length - kept, bytes.length)}`;
}

/** @param breakWords cuts words that are longer than a line */
export function wrapText(value: string, width: number, newline: string, breakWords: boolean): string {
  const bytes = Buffer.from(value);
  const limit = Math.max(1, width);
  const part = (from: number, to: number) => bytes.subarray(from, to).toString();
  const lines: string[] = [];
  let at = 0;
  while (bytes.length - at > limit) {
    if (bytes[at] === 0x20) {
      at++;
      continue;
    }
    const space = bytes.subarray(at, at + limit + 1).lastIndexOf(0x20);
    if (space >= 0) {
      lines.push(part(at, at + space));
      at += space + 1;
    } else if (breakWords) {
      lines.push(part(at, at + limit));
      at += limit;
    } else {
      const next = bytes.indexOf(0x20, at + limit);
      if (next < 0) return [...lines, part(at, bytes.length)].join(newline);
      lines.push(part(at, next));
      at = next + 1;
    }
  }
  return [...lines, part(at, bytes.length)].join(newline);
}
