const QUANTITY = /^[+-]?(\d+(\.\d*)?|\.\d+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?\d+))?$/;
/** What may be in a quantity, in this order; of other texts Go says which suffix there is not. */
const QUANTITY_PARTS = /^[+-]?(\d+(\.\d*)?|\.\d+)[eEinumkKMGTP]+[-+]?\d*$/;
const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;
const BASE_64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * What is wrong with a text that a built-in kind has in a form of its own, in the words of Go's decoders.
 *
 * @param format `quantity`, `date-time` or `byte`; of others nothing is known here
 * @returns undefined where it is right
 */
export function textProblem(format: string | undefined, text: string): string | undefined {
  switch (format) {
    case "quantity":
      return quantityProblem(text.trim());
    case "date-time":
      return RFC_3339.test(text)
        ? rangeProblem(text)
        : `parsing time ${quote(text)} as "2006-01-02T15:04:05Z07:00": cannot parse ${whereTimeEnds(text)}`;
    case "byte":
      return base64Problem(text.replace(/[\r\n]/g, ""));
    default:
      return undefined;
  }
}

function quantityProblem(text: string): string | undefined {
  if (QUANTITY.test(text)) return undefined;
  return QUANTITY_PARTS.test(text)
    ? "unable to parse quantity's suffix"
    : "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
}

const quote = (text: string): string => JSON.stringify(text);

/** The parts of a time, with their names in Go's layout. */
const TIME_PARTS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/^\d{4}/, "2006"],
  [/^-/, "-"],
  [/^\d{2}/, "01"],
  [/^-/, "-"],
  [/^\d{2}/, "02"],
  [/^[Tt]/, "T"],
  [/^\d{2}/, "15"],
  [/^:/, ":"],
  [/^\d{2}/, "04"],
  [/^:/, ":"],
  [/^\d{2}(\.\d+)?/, "05"],
];

/** Where a text ceases to be a time, as `"rest" as "part"`. */
function whereTimeEnds(text: string): string {
  let rest = text;
  for (const [pattern, name] of TIME_PARTS) {
    const [part] = pattern.exec(rest) ?? [];
    if (part === undefined) return `${quote(rest)} as ${quote(name)}`;
    rest = rest.slice(part.length);
  }
  return `${quote(rest)} as "Z07:00"`;
}

function rangeProblem(text: string): string | undefined {
  const [year, month, day, hour, minute, second] = text.split(/[-:Tt.Zz+]/).map(Number);
  const days = new Date(Date.UTC(year ?? 0, month ?? 0, 0)).getUTCDate();
  const isOut =
    (month ?? 0) < 1 || (month ?? 0) > 12
      ? "month"
      : (day ?? 0) < 1 || (day ?? 0) > days
        ? "day"
        : (hour ?? 0) > 23
          ? "hour"
          : (minute ?? 0) > 59
            ? "minute"
            : (second ?? 0) > 59
              ? "second"
              : undefined;
  return isOut === undefined ? undefined : `parsing time ${quote(text)}: ${isOut} out of range`;
}

function base64Problem(text: string): string | undefined {
  if (BASE_64.test(text)) return undefined;
  const stranger = text.search(/[^A-Za-z0-9+/]/);
  // A group that is not whole is told by where it begins.
  const at = stranger === -1 ? text.length - (text.length % 4) : stranger;
  return `illegal base64 data at input byte ${at}`;
}
