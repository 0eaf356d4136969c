// Prints how build-info would build each folder of the first argument, as JSON by their names.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { getBuildInfo } from '@netlify/build-info/node'

const plans = {}
for (const name of readdirSync(process.argv[2])) {
  const folder = join(process.argv[2], name)
  const info = await getBuildInfo({ projectDir: folder, rootDir: folder, featureFlags: {} })
  const settings = info.settings?.[0]
  plans[name] = {
    framework: info.frameworks?.[0]?.id ?? '',
    build: settings?.buildCommand ?? '',
    output: settings?.dist ?? '',
    packageManager: info.packageManager?.name ?? '',
  }
}
console.log(JSON.stringify(plans))
