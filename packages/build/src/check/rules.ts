/** What a rule is about, in the words that BuildKit's clients show. */
export interface Rule {
  readonly description: string;
  /** Applied only where a file or a build asks for it. @default false */
  readonly experimental?: boolean;
  /** It has no page. @default false */
  readonly unexplained?: boolean;
}

/** The checks of a Containerfile, by BuildKit's names. */
export const RULES = {
  StageNameCasing: { description: "Stage names should be lowercase" },
  FromAsCasing: { description: "The 'as' keyword should match the case of the 'from' keyword" },
  NoEmptyContinuation: { description: "Empty continuation lines will become errors in a future release" },
  ConsistentInstructionCasing: {
    description: "All commands within the Dockerfile should use the same casing (either upper or lower)",
  },
  DuplicateStageName: { description: "Stage names should be unique" },
  ReservedStageName: { description: "Reserved words should not be used as stage names" },
  JSONArgsRecommended: {
    description: "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
  },
  MaintainerDeprecated: {
    description: "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
  },
  UndefinedArgInFrom: { description: "FROM command must use declared ARGs" },
  WorkdirRelativePath: {
    description:
      "Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes",
  },
  UndefinedVar: { description: "Variables should be defined before their use" },
  MultipleInstructionsDisallowed: {
    description: "Multiple instructions of the same type should not be used in the same stage",
  },
  LegacyKeyValueFormat: { description: "Legacy key/value format with whitespace separator should not be used" },
  InvalidBaseImagePlatform: {
    description: "Base image platform does not match expected target platform",
    unexplained: true,
  },
  RedundantTargetPlatform: {
    description: "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
  },
  SecretsUsedInArgOrEnv: { description: "Sensitive data should not be used in the ARG or ENV commands" },
  InvalidDefaultArgInFrom: {
    description: "Default value for global ARG results in an empty or invalid base image name",
  },
  FromPlatformFlagConstDisallowed: { description: "FROM --platform flag should not use a constant value" },
  CopyIgnoredFile: { description: "Attempting to Copy file that is excluded by .dockerignore" },
  InvalidDefinitionDescription: {
    description:
      "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.",
    experimental: true,
  },
  ExposeProtoCasing: { description: "Protocol in EXPOSE instruction should be lowercase" },
  ExposeInvalidFormat: {
    description:
      "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release",
  },
} as const satisfies Readonly<Record<string, Rule>>;

export type RuleName = keyof typeof RULES;

export const RULE_NAMES = Object.keys(RULES) as readonly RuleName[];

/** The page that explains a rule. */
export function ruleUrl(name: RuleName): string | undefined {
  const rule: Rule = RULES[name];
  if (rule.unexplained === true) return undefined;
  const words = name.replace(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, "-");
  return `https://docs.docker.com/go/dockerfile/rule/${words.toLowerCase()}/`;
}
