export { HelpRequested, type ParsedFlags, type ParseFlagsOptions, parseFlags } from "@boxship/base/parse-flags";
