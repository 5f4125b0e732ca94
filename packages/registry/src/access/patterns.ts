import { InvalidArgument } from "@boxship/base";

/** `*` stands for anything within one component, `**` for anything. @throws InvalidArgument */
export function repositoryPattern(text: string): RegExp {
  if (!/^[a-z0-9._/*-]+$/.test(text)) {
    throw new InvalidArgument(`${JSON.stringify(text)} is no pattern of repositories`, {
      subject: { kind: "pattern", name: text },
      remedy: "write a repository's name, with * for anything within a component and ** for anything",
    });
  }
  const source = text.replace(/[.]/g, "\\.").replace(/\*\*|\*/g, (stars) => (stars === "**" ? ".*" : "[^/]*"));
  return new RegExp(`^${source}$`);
}

/** `*` stands for anything. @throws InvalidArgument */
export function tagPattern(text: string): RegExp {
  if (!/^[A-Za-z0-9._*-]+$/.test(text)) {
    throw new InvalidArgument(`${JSON.stringify(text)} is no pattern of tags`, {
      subject: { kind: "pattern", name: text },
      remedy: "write a tag, with * for anything",
    });
  }
  return new RegExp(`^${text.replace(/[.]/g, "\\.").replace(/\*+/g, ".*")}$`);
}

/** Whether a name fits one of the patterns. */
export function anyOf(patterns: readonly RegExp[]): (name: string) => boolean {
  return (name) => patterns.some((pattern) => pattern.test(name));
}
