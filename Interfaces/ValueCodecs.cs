// The assembly of the values knows Orleans' attributes and nothing that runs, so their codecs are made here.
[assembly: GenerateCodeForDeclaringAssembly(typeof(Orleans.WireGuard.PublicKey))]
