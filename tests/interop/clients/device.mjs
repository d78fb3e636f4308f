// The published client libraries, each with all that it needs to talk to one service and no other.

import * as DID from '@ipld/dag-ucan/did'
import * as Ucanto from '@ucanto/client'
import { CAR, HTTP } from '@ucanto/transport'

const PACKAGE = { w3up: '@web3-storage/w3up-client', storacha: '@storacha/client' }

/** A client that is in a space. */
export const within = async (client, space) => {
  await client.setCurrentSpace(space.did())
  return client
}

/** One of the libraries (`w3up`, `storacha`), for the service with this address and name. */
export const installed = async (library, url, did) => {
  const { create } = await import(PACKAGE[library])
  const Proof = await import(`${PACKAGE[library]}/proof`)
  const { StoreMemory } = await import(`${PACKAGE[library]}/stores/memory`)
  const ed25519 = await import(`${PACKAGE[library]}/principal/ed25519`)
  const rsa = await import(`${PACKAGE[library]}/principal/rsa`)

  const service = () =>
    Ucanto.connect({
      id: DID.parse(did),
      codec: CAR.outbound,
      channel: HTTP.open({ url: new URL(url), method: 'POST' }),
    })

  /** A client that has nothing yet. */
  const device = async (principal) => {
    const [access, upload, filecoin, gateway] = [service(), service(), service(), service()]
    return create({
      principal: principal ?? (await ed25519.generate()),
      store: new StoreMemory(),
      serviceConf: { access, upload, filecoin, gateway },
      receiptsEndpoint: new URL('/receipt/', url),
    })
  }

  /** A client with a space of its own. */
  const settled = async () => {
    const client = await device()
    const space = await client.createSpace('interop', { skipGatewayAuthorization: true })
    await client.addSpace(await space.createAuthorization(client.agent))
    return within(client, space)
  }

  return { Proof, ed25519, rsa, service, device, settled }
}
