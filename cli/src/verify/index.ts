export { FixtureError, type FixtureTensors, type VerifyRow } from './report.ts';
export {
  kindOf,
  type LoadTensors,
  type Manifest,
  type Verification,
  type VerifyOptions,
  verifyFixture,
} from './verify.ts';
