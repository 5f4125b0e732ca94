import { InvalidArgument } from "@boxship/base";

export function invalidOption(message: string, option: string, remedy?: string): InvalidArgument {
  return new InvalidArgument(message, {
    subject: { kind: "log option", name: option },
    ...(remedy === undefined ? {} : { remedy }),
  });
}

export function unknownOption(option: string, driver: string): InvalidArgument {
  const whose = driver === "local" ? "log driver local" : `${driver} log driver`;
  return invalidOption(`unknown log opt '${option}' for ${whose}`, option);
}

/** A size such as `10m`, in bytes. */
export function parseSize(option: string, size: string, base: 1000 | 1024): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgt]?)i?b?$/i.exec(size.trim());
  const power = "_kmgt".indexOf(match?.[2]?.toLowerCase() || "_");
  const bytes = Math.floor(Number(match?.[1]) * base ** power);
  if (match === null || bytes === 0 || !Number.isSafeInteger(bytes)) {
    throw invalidOption(`invalid size: '${size}'`, option, "write a size such as 10m, or -1 for no limit");
  }
  return bytes;
}

const TRUE = ["1", "t", "T", "true", "TRUE", "True"];
const FALSE = ["0", "f", "F", "false", "FALSE", "False"];

/** A boolean as Go reads it. */
export function parseFlag(option: string, value: string | undefined, initial: boolean): boolean {
  if (value === undefined || value === "") return initial;
  if (TRUE.includes(value)) return true;
  if (FALSE.includes(value)) return false;
  throw invalidOption(
    `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
    option,
    "write true or false",
  );
}

/** @returns what a check that Docker makes when it starts the container has found, or why it has not */
export function initializing<Result>(
  check: () => Result,
): { readonly result: Result } | { readonly problem: InvalidArgument } {
  try {
    return { result: check() };
  } catch (error) {
    if (error instanceof InvalidArgument) return { problem: error };
    throw error;
  }
}
