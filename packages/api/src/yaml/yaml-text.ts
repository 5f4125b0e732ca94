const WORDS = new Set(
  "y Y yes Yes YES true True TRUE on On ON n N no No NO false False FALSE off Off OFF ~ null Null NULL .nan .NaN .NAN .inf .Inf .INF +.inf +.Inf +.INF -.inf -.Inf -.INF".split(
    " ",
  ),
);
const FLOAT = /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/;
const INTEGER = /^[-+]?(0[xX][\da-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|[1-9]\d*|0)$/;
const BASE_60 = /^[-+]?\d[\d_]*(?::[0-5]?\d)+(?:\.[\d_]*)?$/;
const DATE = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:([Tt ])(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.\d+)?(Z|[+-]\d\d:\d\d)?)?$/;

/** Whether a text without quotes is read as text: not as a number, a date, or a word such as `yes`. */
export function isPlainText(text: string): boolean {
  if (text === "" || WORDS.has(text) || BASE_60.test(text)) return false;
  if (!/^[-+.\d]/.test(text)) return true;
  if (isDate(text)) return false;
  if (text.startsWith(".")) return !FLOAT.test(text);
  const plain = text.replaceAll("_", "");
  return !(INTEGER.test(plain) || FLOAT.test(plain));
}

function isDate(text: string): boolean {
  const match = DATE.exec(text);
  if (match === null) return false;
  const [, year, month, day, mark, hour, minute, second, zone] = match;
  if (mark !== undefined && (mark === " ") !== (zone === undefined)) return false;
  const last = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  const inRange = Number(month) >= 1 && Number(month) <= 12 && Number(day) >= 1 && Number(day) <= last;
  return inRange && Number(hour ?? 0) < 24 && Number(minute ?? 0) < 60 && Number(second ?? 0) < 60;
}

const isLetter = (sign: string): boolean => /^\p{L}$/u.test(sign);
const isDigit = (sign: string | undefined): boolean => sign !== undefined && /^\d$/.test(sign);

/** The library's order of keys: letters after other signs, numbers in texts by their value. */
export function compareKeys(left: string, right: string): number {
  const [a, b] = [Array.from(left), Array.from(right)];
  for (let at = 0; at < a.length && at < b.length; at++) {
    const [one = "", other = ""] = [a[at], b[at]];
    if (one === other) continue;
    const letters = [isLetter(one), isLetter(other)];
    if (letters[0] && letters[1]) return codeOf(one) - codeOf(other);
    if (letters[0] || letters[1]) return letters[1] ? -1 : 1;
    return compareNumbers(a, b, at) || codeOf(one) - codeOf(other);
  }
  return a.length - b.length;
}

const codeOf = (sign: string): number => sign.codePointAt(0) ?? 0;

function compareNumbers(a: readonly string[], b: readonly string[], at: number): number {
  let prefix = "";
  if (a[at] === "0" || b[at] === "0") {
    for (let before = at - 1; before >= 0 && isDigit(a[before]); before--) if (a[before] !== "0") prefix = "1";
  }
  const [left, right] = [digitsFrom(a, at), digitsFrom(b, at)];
  const difference = Number(`${prefix}${left}` || 0) - Number(`${prefix}${right}` || 0);
  return difference !== 0 ? difference : left.length - right.length;
}

function digitsFrom(signs: readonly string[], at: number): string {
  let end = at;
  while (isDigit(signs[end])) end++;
  return signs.slice(at, end).join("");
}
