using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;

namespace Orleans.WireGuard.Tests.Support;

/// <summary>Every type that a type knows: in its declaration, its members, and the code of its methods.</summary>
/// <remarks>
/// Read from the compiled code, because a source file also knows what global usings and <c>var</c> bring in. Lambdas and state machines are
/// nested types of the compiler; ask for them as for any other type.
/// </remarks>
internal static class TypeReferences
{
    private const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic
        | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<short, OpCode> OpCodesByValue = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!).ToDictionary(code => code.Value);

    /// <summary>The types, each once; of a generic type its definition and its arguments.</summary>
    public static IReadOnlySet<Type> Of(Type type)
    {
        var found = new HashSet<Type>();
        Add(found, type.BaseType);
        AddAll(found, type.GetInterfaces());
        AddAttributes(found, type);
        foreach (var field in type.GetFields(All))
        {
            Add(found, field.FieldType);
            AddAttributes(found, field);
        }

        foreach (var property in type.GetProperties(All))
        {
            AddAttributes(found, property);
        }

        foreach (var method in type.GetMethods(All).Cast<MethodBase>().Concat(type.GetConstructors(All)))
        {
            AddMethod(found, method);
        }

        return found;
    }

    /// <summary>Every method that the code of a type calls, with the one that calls it.</summary>
    public static IEnumerable<(MethodBase Caller, MethodBase Called)> Calls(Type type) =>
        from method in type.GetMethods(All).Cast<MethodBase>().Concat(type.GetConstructors(All))
        let code = method.GetMethodBody()?.GetILAsByteArray()
        where code is not null
        from token in Tokens(code)
        let called = method.Module.ResolveMember(
            token, method.DeclaringType!.GetGenericArguments(), method.IsGenericMethod ? method.GetGenericArguments() : null) as MethodBase
        where called is not null
        select (method, called);

    private static void AddMethod(HashSet<Type> found, MethodBase method)
    {
        AddAttributes(found, method);
        AddSignature(found, method);
        if (method.GetMethodBody() is not { } body)
        {
            return;
        }

        AddAll(found, body.LocalVariables.Select(local => local.LocalType));
        AddAll(found, body.ExceptionHandlingClauses.Where(clause => clause.Flags == ExceptionHandlingClauseOptions.Clause)
            .Select(clause => clause.CatchType));
        foreach (var token in Tokens(body.GetILAsByteArray()!))
        {
            var typeArguments = method.DeclaringType!.GetGenericArguments();
            switch (method.Module.ResolveMember(token, typeArguments, method.IsGenericMethod ? method.GetGenericArguments() : null))
            {
                case Type type:
                    Add(found, type);
                    break;
                case MethodBase called:
                    Add(found, called.DeclaringType);
                    AddSignature(found, called);
                    AddAll(found, called.IsGenericMethod ? called.GetGenericArguments() : []);
                    break;
                case FieldInfo field:
                    Add(found, field.DeclaringType);
                    Add(found, field.FieldType);
                    break;
            }
        }
    }

    // The operands that name a member; those of strings and signatures do not.
    private static IEnumerable<int> Tokens(byte[] code)
    {
        for (var at = 0; at < code.Length;)
        {
            var isTwoBytes = code[at] == 0xFE;
            var opCode = OpCodesByValue[isTwoBytes ? (short)((0xFE << 8) | code[at + 1]) : code[at]];
            at += isTwoBytes ? 2 : 1;
            if (opCode.OperandType is OperandType.InlineField
                or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType)
            {
                yield return BitConverter.ToInt32(code, at);
            }

            at += opCode.OperandType switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 + (4 * BitConverter.ToInt32(code, at)),
                _ => 4,
            };
        }
    }

    private static void AddSignature(HashSet<Type> found, MethodBase method)
    {
        AddAll(found, method.GetParameters().Select(parameter => parameter.ParameterType));
        Add(found, (method as MethodInfo)?.ReturnType);
    }

    private static void AddAttributes(HashSet<Type> found, MemberInfo member) => AddAll(
        found, member.CustomAttributes.Select(attribute => attribute.AttributeType)
            .Where(type => type != typeof(CompilerGeneratedAttribute)));

    private static void AddAll(HashSet<Type> found, IEnumerable<Type?> types)
    {
        foreach (var type in types)
        {
            Add(found, type);
        }
    }

    private static void Add(HashSet<Type> found, Type? type)
    {
        while (type is { HasElementType: true })
        {
            type = type.GetElementType();
        }

        if (type is null or { IsGenericParameter: true } or { IsFunctionPointer: true })
        {
            return;
        }

        AddAll(found, type.GetGenericArguments());
        found.Add(type.IsGenericType ? type.GetGenericTypeDefinition() : type);
    }
}
